package decompose

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrPeriod means a seasonal period below 2.
var ErrPeriod = errors.New("seasonal period must be at least 2")

// Method is a way to decompose.
type Method uint8

// The methods.
const (
	// Auto is MSTL over all periods given, STL with one of them.
	Auto Method = iota
	// STLMethod is STL with the first period.
	STLMethod
	// MSTLMethod is MSTL with all periods.
	MSTLMethod
	// Additive is the classical decomposition into a sum.
	Additive
	// Multiplicative is the classical decomposition into a product.
	Multiplicative
	// Smooth is the trend by Friedman's super smoother, and no season.
	Smooth
)

var methodNames = []string{"auto", "stl", "mstl", "additive", "multiplicative", "smooth"}

// String is the name that ParseMethod reads.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return fmt.Sprintf("unknown(%d)", m)
}

// MethodNames are the names that ParseMethod takes.
func MethodNames() []string { return slices.Clone(methodNames) }

// ParseMethod reads a name of MethodNames.
func ParseMethod(name string) (Method, error) {
	i := slices.Index(methodNames, strings.ToLower(name))
	if i < 0 {
		return 0, fmt.Errorf("method %q is not one of %s", name, strings.Join(methodNames, ", "))
	}
	return Method(i), nil
}

// Options choose how Decompose works. The zero value finds the trend of a non-seasonal series.
type Options struct {
	Method Method
	// Periods are the seasonal periods in observations; empty for none. STL and the classical methods take the first and
	// ignore the others.
	Periods []int
	// SeasonalWindow is the loess window over the cycles of a season for STL and MSTL: 0 for their default (11 cycles, 15
	// for the second period …), -1 for a season that never changes ("periodic").
	SeasonalWindow int
	// Robust keeps outliers out of trend and season, in STL and MSTL.
	Robust bool
}

// Decompose decomposes y into dst by the method that o asks for. NaN in y is missing. Auto, STL and MSTL leave out periods
// of which y has no more than two cycles (dst.Periods tells which remain) and fall back on Smooth without any; Additive
// and Multiplicative return an error instead. Errors are those of STL, MSTL and Classical.
func Decompose(dst *Components, y []float64, o Options) error {
	periods := o.Periods
	switch o.Method {
	case Additive, Multiplicative:
		if len(periods) == 0 {
			return fmt.Errorf("%w: the classical decomposition needs one", ErrPeriod)
		}
		return Classical(dst, y, periods[0], o.Method == Multiplicative)
	case Smooth:
		periods = nil
	case STLMethod:
		if len(periods) > 1 {
			periods = periods[:1]
		}
	}
	windows := dst.ws.windows[:0]
	if o.SeasonalWindow != 0 {
		for range periods {
			windows = append(windows, o.SeasonalWindow)
		}
	}
	dst.ws.windows = windows
	if err := MSTL(dst, y, MSTLOptions{Periods: periods, SeasonalWindows: windows, STL: STLOptions{Robust: o.Robust}}); err != nil {
		return err
	}
	if dst.Method == MSTLMethod && len(dst.Periods) == 1 {
		dst.Method = STLMethod
	}
	return nil
}
