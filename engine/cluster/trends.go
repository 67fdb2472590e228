package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Algorithm is the way to form groups.
type Algorithm uint8

// The algorithms.
const (
	// KMeansAlgorithm is Lloyd's iteration from k-means++ starts; a centre is the mean curve.
	KMeansAlgorithm Algorithm = iota
	// KMedoidsAlgorithm is FasterPAM; a centre is the most central series.
	KMedoidsAlgorithm
)

// Distance is the measure of dissimilarity between shapes; the package comment defines them.
type Distance uint8

// The distances.
const (
	Euclidean Distance = iota
	Correlation
	DTW
)

// Align says how series of different spans are laid over each other.
type Align uint8

// The alignments.
const (
	// Calendar compares the same calendar time.
	Calendar Align = iota
	// Stretch compares whole series, each over its own length.
	Stretch
)

var (
	algorithmNames = []string{"kmeans", "kmedoids"}
	distanceNames  = []string{"euclidean", "correlation", "dtw"}
	alignNames     = []string{"calendar", "stretch"}
)

// String is the name that option algorithm takes.
func (a Algorithm) String() string { return nameOf(algorithmNames, int(a)) }

// String is the name that option distance takes.
func (d Distance) String() string { return nameOf(distanceNames, int(d)) }

// String is the name that option align takes.
func (a Align) String() string { return nameOf(alignNames, int(a)) }

// AlgorithmNames are the names that ParseAlgorithm takes.
func AlgorithmNames() []string { return slices.Clone(algorithmNames) }

// DistanceNames are the names that ParseDistance takes.
func DistanceNames() []string { return slices.Clone(distanceNames) }

// AlignNames are the names that ParseAlign takes.
func AlignNames() []string { return slices.Clone(alignNames) }

// ParseAlgorithm reads a name of AlgorithmNames.
func ParseAlgorithm(name string) (Algorithm, error) {
	i, err := indexOf(algorithmNames, "algorithm", name)
	return Algorithm(i), err
}

// ParseDistance reads a name of DistanceNames.
func ParseDistance(name string) (Distance, error) {
	i, err := indexOf(distanceNames, "distance", name)
	return Distance(i), err
}

// ParseAlign reads a name of AlignNames.
func ParseAlign(name string) (Align, error) {
	i, err := indexOf(alignNames, "align", name)
	return Align(i), err
}

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

func indexOf(names []string, option, name string) (int, error) {
	i := slices.Index(names, strings.ToLower(name))
	if i < 0 {
		return 0, fmt.Errorf("%s: %q is not one of %s", option, name, strings.Join(names, ", "))
	}
	return i, nil
}

// Errors of this package; match with errors.Is.
var (
	// ErrNoSeries means that no series can be clustered.
	ErrNoSeries = errors.New("no series can be clustered")
	// ErrDistance means that the algorithm cannot work with the distance.
	ErrDistance = errors.New("distance=dtw needs algorithm=kmedoids")
	// ErrOption means that an option is out of its range.
	ErrOption = errors.New("option out of range")
)

// CountError means that there are not as many different shapes as clusters wanted.
type CountError struct {
	// K clusters were wanted of Series series, of which Distinct have different shapes.
	K, Series, Distinct int
}

// Error says how many clusters there can be.
func (e *CountError) Error() string {
	if e.Distinct < e.Series {
		return fmt.Sprintf("k = %d clusters of %d series, which have only %d different shapes; set k to %d or less, or to auto", e.K, e.Series, e.Distinct, e.Distinct)
	}
	return fmt.Sprintf("k = %d clusters of %d series; set k to %d or less, or to auto", e.K, e.Series, e.Series)
}

// Series is one time series to cluster.
type Series struct {
	// Y holds the observations, equally spaced; NaN is missing.
	Y []float64
	// Offset is the position of Y[0] on the panel's time axis, in periods from any common origin.
	Offset int
}

// Options choose how Trends works. The zero value is the default: k found automatically, k-means with Euclidean distance on
// calendar-aligned shapes.
type Options struct {
	// K is the number of clusters, or 0 to choose the number from 2 to min(MaxK, n-1) with the largest mean silhouette
	// (Rousseeuw 1987).
	K int
	// MaxK is the largest number tried for K = 0; 10 by default.
	MaxK      int
	Algorithm Algorithm
	Distance  Distance
	Align     Align
	// Periods are the seasonal periods in observations; they matter for the segments and for the word "seasonal".
	Periods []int
	// Points is the greatest length of a shape, 128 by default.
	Points int
	// Band is the Sakoe-Chiba band of DTW as a share of the shape's length in [0,1]; 0 means 0.1.
	Band float64
	// CoverShare is the share of series that must cover the calendar window, 0.8 by default.
	CoverShare float64
	// Restarts is the number of k-means++ starts, of which the best counts; 10 by default.
	Restarts int
	// Seed fixes the random choices.
	Seed uint64
	// Workers is the number of goroutines; 0 means GOMAXPROCS. It does not change the result.
	Workers int
	// Progress, if not nil, hears how many of total steps are done. It is called from several goroutines, one at a time.
	Progress func(done, total int)
}

// Status tells how a series came to its cluster.
type Status uint8

// The statuses.
const (
	// OK is a series that took part in forming the clusters.
	OK Status = iota
	// Constant is the same for one without variation.
	Constant
	// Partial is one that covers only part of the window and was assigned afterwards.
	Partial
	// TooShort is one of which too few positions of the window, or values, are known to compare it (see Member.Points); it has no
	// cluster.
	TooShort
	// Outside is one that ended before the window or began after it; it has no cluster.
	Outside
	// AllMissing is one without any known value; it has no cluster.
	AllMissing
)

var statusNames = []string{"ok", "constant", "partial", "too short", "outside", "all missing"}

// String is the status as a word.
func (s Status) String() string { return nameOf(statusNames, int(s)) }

// Member is one series' place.
type Member struct {
	// Cluster is the number of its cluster from 1, or 0 if it has none.
	Cluster int
	// Distance is the distance to the cluster's centre: the mean curve, or the medoid. NaN without a cluster. Of a partial
	// series it is over the time it covers.
	Distance float64
	// Silhouette tells in [-1,1] how much nearer the series is to its own cluster than to the next one (Rousseeuw 1987); 0 for
	// the only member of a cluster, NaN without a cluster or with a single cluster. Of a partial series, and of all with more
	// than MaxExactSilhouette series, it is the simplified one, from the distances to the centres.
	Silhouette float64
	// Medoid marks the member nearest to the centre, one per cluster.
	Medoid bool
	Status Status
	// Covered is the share of the window that the series covers.
	Covered float64
	// Points is the number of positions of the window that a Partial or TooShort series has.
	Points int
}

// Cluster is one group.
type Cluster struct {
	// Size is the number of members, partial ones included.
	Size int
	// Medoid is the index of the series nearest to the centre.
	Medoid int
	// Centre is the group's curve, one value per position in standard deviations; of k-medoids the medoid's shape.
	Centre []float64
	// Trend is the centre in a word: "rising", "falling", "flat" or "seasonal" (see Describe).
	Trend string
	// Silhouette is the mean silhouette of the members.
	Silhouette float64
}

// Result is a clustering.
type Result struct {
	// K is the number of clusters.
	K int
	// Members has one entry per series, in the order given.
	Members []Member
	// Clusters are in descending order of Size; number c is Clusters[c-1].
	Clusters []Cluster
	// Silhouette is the mean over all series that formed the clusters; NaN with one cluster.
	Silhouette float64
	// First is the window's first time as an offset (Calendar; 0 for Stretch), and Segment the number of observations that one
	// position of a centre stands for (0 for Stretch): position p covers offsets First + p*Segment to First + (p+1)*Segment - 1.
	First, Segment int
}
