// Package engine holds the vocabulary that every forecaster in Almanac shares: what a model is, what fitting one
// returns and what a forecast looks like. The models themselves are in engine/models; engine never imports them, the
// program hands their list in.
package engine

import (
	"context"
	"errors"

	"github.com/almanacdb/almanac/engine/series"
)

// Errors that a model may return, wrapped with the figures that explain them. Match with errors.Is.
var (
	// ErrTooShort means the series has fewer observations than the model needs.
	ErrTooShort = errors.New("series too short")
	// ErrNotPositive means a multiplicative form met a value that is zero or negative.
	ErrNotPositive = errors.New("values must be positive")
	// ErrNoFit means that estimation did not reach an admissible model.
	ErrNoFit = errors.New("no admissible fit")
	// ErrMissing means the model cannot take missing values and the series has some.
	ErrMissing = errors.New("series has missing values")
	// ErrSyntax means that the text after a model's name could not be understood.
	ErrSyntax = errors.New("model not understood")
)

// Model is a way to forecast, with its orders and options fixed or left to be found. A Model is immutable and safe for
// concurrent use.
type Model interface {
	// Fit estimates the model on one series. NaN in s.Y is a missing value. Fit retains nothing of s beyond the
	// returned Fitted, which may hold s.Y (callers keep it unchanged while they use the Fitted). Fit polls ctx at least
	// once per optimiser iteration and returns its error.
	Fit(ctx context.Context, s series.Series) (Fitted, error)
}

// Fitted is a model with its parameters estimated. It is not safe for concurrent use.
type Fitted interface {
	// Forecast fills dst for steps 1..dst.H after the last observation. future holds one row of length dst.H per
	// regressor, or nil. It always fills Mean and every quantile asked for, or returns an error.
	Forecast(ctx context.Context, dst *Forecast, future [][]float64) error
	// FittedValues appends the one-step-ahead expectation of each observation to dst[:0] and returns it; NaN where
	// there is none (a model's first observations).
	FittedValues(dst []float64) []float64
	// Describe tells what was fitted.
	Describe() Description
}

// InnovationDeviations is implemented by fits whose innovations do not scatter alike at all observations: those of multiplicative
// errors, which grow with the level, and combinations. The innovations of all others have variance Description.Sigma2.
type InnovationDeviations interface {
	// InnovationDeviations appends the standard deviation of the one-step innovation of each observation to dst[:0], in the units of
	// the data, and returns it: as many as there are fitted values, known before the observation is. It is NaN where there is
	// no fitted value.
	InnovationDeviations(dst []float64) []float64
}

// Forecast is the distribution of the next H values, step by step. Reset makes it ready; it is reused across series.
type Forecast struct {
	H int
	// Probs are the probabilities of the quantiles wanted, ascending, each in (0,1). A prediction interval of level L
	// is the pair (1-L)/2 and (1+L)/2.
	Probs []float64
	// Mean is the point forecast of each step, length H.
	Mean []float64
	// Quantiles[p][h] is the Probs[p] quantile of step h+1. Quantiles never cross.
	Quantiles [][]float64
}

// Reset sizes f for h steps and the given ascending probabilities, reusing its memory; all values become zero.
func (f *Forecast) Reset(h int, probs []float64) {
	f.H, f.Probs = h, append(f.Probs[:0], probs...)
	f.Mean = resize(f.Mean, h)
	for len(f.Quantiles) < len(probs) {
		f.Quantiles = append(f.Quantiles, nil)
	}
	f.Quantiles = f.Quantiles[:len(probs)]
	for i := range f.Quantiles {
		f.Quantiles[i] = resize(f.Quantiles[i], h)
	}
}

func resize(v []float64, n int) []float64 {
	if cap(v) < n {
		return make([]float64, n)
	}
	v = v[:n]
	clear(v)
	return v
}

// Description tells what a fit found, for people and for choosing between fits.
type Description struct {
	// Model is the fitted form in the notation of Hyndman & Athanasopoulos, such as "ETS(M,Ad,M)" or
	// "ARIMA(0,1,1)(0,1,1)[12]". A model list accepts it back as the text of a fixed model.
	Model string
	// Params names each estimated parameter (alpha, ar1, drift, …) with its value, in a fixed order.
	Params []Param
	// Sigma2 is the variance of the innovations, of relative ones (divided by the fitted value) if Relative is set.
	Sigma2 float64
	// Relative tells that the model's errors are multiplicative.
	Relative bool
	// LogLik, AIC, AICc and BIC are as in R's forecast package; NaN where the model has no likelihood.
	LogLik, AIC, AICc, BIC float64
	// Note says in words what a reader must know of this fit ("fell back to …"); empty if nothing.
	Note string
}

// Param is one estimated parameter.
type Param struct {
	Name  string
	Value float64
}

// Caps are the abilities that a model declares; the conformance suite verifies them.
type Caps struct {
	Seasonal  bool // uses the seasonal period
	Missing   bool // takes NaN observations
	Exogenous bool // takes regressors
}

// ModelSpec makes a kind of model known to SQL, the documentation and the conformance suite.
type ModelSpec struct {
	// Name is what `model=` says, lower case.
	Name string
	// Doc is one sentence on what the model is and when to use it.
	Doc string
	// Syntax shows the fixed forms, such as "arima(p,d,q)(P,D,Q) with drift"; empty when there is only the name.
	Syntax string
	// References are the sources it is written from.
	References []string
	Caps       Caps
	// New builds the model from the text behind its name in `model=…` ("" or "(0,1,1)(0,1,1)[12] with drift"). Errors
	// wrap ErrSyntax.
	New func(args string) (Model, error)
}
