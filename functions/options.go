package functions

// Options are the values of all options of a call, defaults filled in. Each function reads those that its Spec lists.
type Options struct {
	// By are the key columns' names as given.
	By []string
}
