package models

import (
	"context"
	"fmt"
	"math"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// Theta is the Theta method in the form that won the M3 competition, which Hyndman & Billah showed to be simple
// exponential smoothing with a drift of half the slope of the straight line through the data. Seasonality is tested for and
// taken out by classical multiplicative decomposition first.
func Theta() engine.ModelSpec {
	return engine.ModelSpec{
		Name: "theta",
		Doc:  "Theta method: simple exponential smoothing plus half the linear trend, on seasonally adjusted data. Hard to beat on short business series.",
		References: []string{
			"Assimakopoulos & Nikolopoulos (2000), The theta model, International Journal of Forecasting 16",
			"Hyndman & Billah (2003), Unmasking the Theta method, International Journal of Forecasting 19",
			"Makridakis, Spiliotis & Assimakopoulos (2020), The M4 Competition, International Journal of Forecasting 36 (seasonality test)",
		},
		Caps: engine.Caps{Seasonal: true, Missing: true},
		New: func(args string) (engine.Model, error) {
			if err := noArguments("theta", args); err != nil {
				return nil, err
			}
			return thetaModel{}, nil
		},
	}
}

type thetaModel struct{}

// Fit implements engine.Model.
func (thetaModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	y, ahead := trimMissing(s.Y)
	m := s.Period()
	f := &thetaFitted{y: s.Y, used: len(y), ahead: ahead}
	adjusted := y
	if m > 1 {
		if figure, ok := thetaSeason(y, m); ok {
			f.season = figure
			adjusted = make([]float64, len(y))
			for t, v := range y {
				adjusted[t] = v / figure[t%m]
			}
		}
	}
	ses, err := fitETS(ctx, series.Series{Y: adjusted}, etsRequest{etsForm: etsForm{'A', 'N', 'N', false}, dampedSet: true})
	if err != nil {
		return nil, fmt.Errorf("theta: %w", err)
	}
	f.ses = ses
	f.alpha = math.Max(1e-10, ses.params.alpha)
	slope := lineSlope(adjusted)
	f.drift = slope / 2
	return f, nil
}

// thetaSeason decides whether y is seasonal and returns its multiplicative figure, indexed by t mod m. The test is that
// of the M3 and M4 competitions: the autocorrelation at lag m must exceed the 90 % limit of Bartlett's formula. Missing
// values leave their products out.
func thetaSeason(y []float64, m int) ([]float64, bool) {
	st := summarise(y)
	if len(y) <= 2*m || st.observed <= 2*m || st.min == st.max {
		return nil, false
	}
	mean := 0.0
	for _, v := range y {
		if v == v {
			mean += v / float64(st.observed)
		}
	}
	acf := func(lag int) float64 {
		sum := 0.0
		for t := lag; t < len(y); t++ {
			if p := (y[t] - mean) * (y[t-lag] - mean); p == p {
				sum += p
			}
		}
		return sum
	}
	variance, sum := acf(0), 0.0
	for lag := 1; lag < m; lag++ {
		r := acf(lag) / variance
		sum += r * r
	}
	limit := math.Sqrt((1 + 2*sum) / float64(st.observed))
	if !(math.Abs(acf(m)/variance)/limit > normalQuantile(0.95)) {
		return nil, false
	}
	figure := classicalFigure(y, m)
	for _, v := range figure {
		if !(v > 1e-10) { // adjusted values would explode
			return nil, false
		}
	}
	return figure, true
}

// classicalFigure is the seasonal figure of classical multiplicative decomposition (Hyndman & Athanasopoulos 2021,
// section 3.4): ratios to the centred moving average over one period, averaged by season and normalised to mean 1. nil if
// some season has no ratio.
func classicalFigure(y []float64, m int) []float64 {
	sum, count := make([]float64, m), make([]float64, m)
	for t := range y {
		if r := y[t] / centredAverage(y, t, m); r == r && !math.IsInf(r, 0) {
			sum[t%m] += r
			count[t%m]++
		}
	}
	mean := 0.0
	for i := range sum {
		sum[i] /= count[i] // NaN without ratios
		mean += sum[i] / float64(m)
	}
	for i := range sum {
		sum[i] /= mean
	}
	return sum
}

// centredAverage is the m-term moving average around t, with half weights at both ends for even m; NaN where it does
// not fit or less than half of it is known. Missing values are left out.
func centredAverage(y []float64, t, m int) float64 {
	half := m / 2
	if t < half || t+half >= len(y) {
		return math.NaN()
	}
	sum, weight := 0.0, 0.0
	for j := -half; j <= half; j++ {
		c := 1.0
		if m%2 == 0 && (j == -half || j == half) {
			c = 0.5
		}
		if v := y[t+j]; v == v {
			sum, weight = sum+c*v, weight+c
		}
	}
	if weight*2 < float64(m) {
		return math.NaN()
	}
	return sum / weight
}

// lineSlope is the slope of the least squares line through the observed values.
func lineSlope(y []float64) float64 {
	n, meanT := 0.0, 0.0
	for t, v := range y {
		if v == v {
			n++
			meanT += (float64(t) - meanT) / n
		}
	}
	var stt, sty float64
	for t, v := range y {
		if v == v {
			d := float64(t) - meanT
			stt += d * d
			sty += d * v
		}
	}
	if stt == 0 {
		return 0
	}
	return sty / stt
}

type thetaFitted struct {
	ses          *etsFitted
	alpha, drift float64
	season       []float64 // by t mod m; nil if not seasonal
	y            []float64
	used, ahead  int
}

// Forecast implements engine.Fitted: Hyndman & Billah (2003), eq. 8, the level plus drift·(h − 1 + (1 − (1−α)ⁿ)/α), times the
// season. The bounds are those of R's thetaf: the variance of the simple exponential smoothing, σ²(1 + (h−1)α²), on the
// scale of the data.
func (f *thetaFitted) Forecast(ctx context.Context, dst *engine.Forecast, _ [][]float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	level := f.ses.level * f.ses.scale
	start := (1 - math.Pow(1-f.alpha, float64(f.used))) / f.alpha
	for h := range dst.Mean {
		dst.Mean[h] = level + f.drift*(float64(h+f.ahead)+start)
		if m := len(f.season); m > 0 {
			dst.Mean[h] *= f.season[(f.used+f.ahead+h)%m]
		}
	}
	sigma := math.Sqrt(f.ses.sigma2) * f.ses.scale
	fillNormal(dst, func(h int) float64 {
		return sigma * math.Sqrt(1+float64(h+f.ahead)*f.alpha*f.alpha)
	})
	return nil
}

// FittedValues implements engine.Fitted: those of the smoothing, times the season, as in R (the drift acts on forecasts
// only).
func (f *thetaFitted) FittedValues(dst []float64) []float64 {
	dst = f.ses.FittedValues(dst)
	for t := len(dst); t < f.used+f.ahead; t++ { // trailing missing values
		dst = append(dst, f.ses.level*f.ses.scale)
	}
	if m := len(f.season); m > 0 {
		for t := range dst {
			dst[t] *= f.season[t%m]
		}
	}
	return dst
}

// Describe implements engine.Fitted. The likelihood is left out: it would be that of the adjusted data.
func (f *thetaFitted) Describe() engine.Description {
	nan := math.NaN()
	d := engine.Description{
		Model:  "Theta",
		Params: []engine.Param{{Name: "alpha", Value: f.alpha}, {Name: "drift", Value: f.drift}},
		Sigma2: f.ses.sigma2 * f.ses.scale * f.ses.scale, LogLik: nan, AIC: nan, AICc: nan, BIC: nan,
	}
	if f.season != nil {
		d.Note = fmt.Sprintf("seasonally adjusted, period %d", len(f.season))
	}
	return d
}
