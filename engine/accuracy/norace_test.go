//go:build !race

package accuracy_test

// raceDetector slows the reading of millions of rows tenfold.
const raceDetector = false
