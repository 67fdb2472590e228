// Package accuracy measures forecasts against what happened. Names and formulas follow Hyndman & Athanasopoulos, Forecasting:
// Principles and Practice (3rd ed., section 5.8 and 5.9), the M4 competition (Makridakis, Spiliotis & Assimakopoulos 2020,
// IJF 36(1)) and the M5 competition (the same, 2022, IJF 38(4)); a forecast error is actual - forecast.
//
// All functions compare slices of equal length, position by position, and panic otherwise: that is a programmer's error. A
// position where any input is NaN, an unknown actual or a step without a forecast, is left out. The result is NaN where nothing
// remains or where the formula divides by zero, as WAPE does of a series that sold nothing: NaN means "not defined", never
// "perfect". All functions are pure and safe for concurrent use.
package accuracy

import "math"

// Count is the number of positions that take part: both actual and forecast known.
func Count(actual, forecast []float64) int {
	_, n := mean(actual, forecast, func(y, f float64) float64 { return 0 })
	return n
}

// WAPE is the weighted absolute percentage error, the sum of absolute errors over the sum of absolute actuals, as a fraction:
// 0.2 is 20 %. NaN if all actuals are zero.
func WAPE(actual, forecast []float64) float64 {
	return overActuals(actual, forecast, func(y, f float64) float64 { return math.Abs(y - f) })
}

// Bias is the sum of forecast - actual over the sum of absolute actuals, as a fraction: 0.1 forecasts 10 % too much, -0.1
// too little. Its magnitude is at most WAPE. NaN if all actuals are zero.
func Bias(actual, forecast []float64) float64 {
	return overActuals(actual, forecast, func(y, f float64) float64 { return f - y })
}

// MAE is the mean absolute error.
func MAE(actual, forecast []float64) float64 {
	m, _ := mean(actual, forecast, func(y, f float64) float64 { return math.Abs(y - f) })
	return m
}

// MSE is the mean squared error.
func MSE(actual, forecast []float64) float64 {
	m, _ := mean(actual, forecast, func(y, f float64) float64 { return (y - f) * (y - f) })
	return m
}

// RMSE is the root of the mean squared error.
func RMSE(actual, forecast []float64) float64 { return math.Sqrt(MSE(actual, forecast)) }

// SMAPE is the symmetric mean absolute percentage error as M4 defines it, in percent from 0 to 200: the mean of
// 200 |y-f| / (|y|+|f|). A position where both are zero is forecast perfectly and counts 0.
func SMAPE(actual, forecast []float64) float64 {
	m, _ := mean(actual, forecast, func(y, f float64) float64 {
		if y == 0 && f == 0 {
			return 0
		}
		return 200 * math.Abs(y-f) / (math.Abs(y) + math.Abs(f))
	})
	return m
}

// MASE is the mean absolute scaled error (Hyndman & Koehler 2006): MAE over scale, the SeasonalMAE of the training data with the
// seasonal period, or 1. NaN unless scale is positive.
func MASE(actual, forecast []float64, scale float64) float64 {
	return scaled(MAE(actual, forecast), scale)
}

// RMSSE is the root mean squared scaled error of M5: the root of MSE over scale, the SeasonalMSE of the training data, with period 1 in
// M5. NaN unless scale is positive.
func RMSSE(actual, forecast []float64, scale float64) float64 {
	return math.Sqrt(scaled(MSE(actual, forecast), scale))
}

// OWA is the overall weighted average of M4: the mean of sMAPE and MASE relative to those of Naive 2. M4 takes all four as means over
// the series of a set. NaN unless both of Naive 2 are positive.
func OWA(smape, mase, smapeNaive2, maseNaive2 float64) float64 {
	return (scaled(smape, smapeNaive2) + scaled(mase, maseNaive2)) / 2
}

// SeasonalMAE is the mean absolute error of the seasonal naive forecast within the training data, mean |y(t) - y(t-m)|: the
// scale of MASE. Pairs with a NaN are left out. NaN if no pair remains, or m < 1.
func SeasonalMAE(train []float64, m int) float64 {
	return seasonal(train, m, MAE)
}

// SeasonalMSE is the mean squared error of the seasonal naive forecast within the training data, mean (y(t) - y(t-m))^2: the scale
// of RMSSE. Pairs with a NaN are left out. NaN if no pair remains, or m < 1. M5 leaves out the time before the first
// sale: pass Active(train).
func SeasonalMSE(train []float64, m int) float64 {
	return seasonal(train, m, MSE)
}

// Active is the training data from the first value that is neither zero nor NaN, as M5 scales: before its first sale an item was not
// on offer. Empty if there is none. It is a view of train.
func Active(train []float64) []float64 {
	for i, y := range train {
		if y != 0 && !math.IsNaN(y) {
			return train[i:]
		}
	}
	return nil
}

// Pinball is the mean pinball (quantile) loss of forecasts of the quantile with probability p: p (y-q) where the actual y lies above,
// (1-p) (q-y) below. For p = 0.5 it is half of MAE. NaN unless 0 < p < 1.
func Pinball(actual, quantile []float64, p float64) float64 {
	if !(p > 0 && p < 1) {
		return math.NaN()
	}
	m, _ := mean(actual, quantile, func(y, q float64) float64 {
		if y >= q {
			return p * (y - q)
		}
		return (1 - p) * (q - y)
	})
	return m
}

// ScaledPinball is the scaled pinball loss of M5's uncertainty track: Pinball over scale, the SeasonalMAE of the training data with
// period 1 in M5. The mean over quantiles is its weighted form. NaN unless scale is positive.
func ScaledPinball(actual, quantile []float64, p, scale float64) float64 {
	return scaled(Pinball(actual, quantile, p), scale)
}

// Coverage is the fraction of actuals within their prediction interval, bounds included. An honest interval of level 0.95
// covers 0.95 in the long run.
func Coverage(actual, lower, upper []float64) float64 {
	mustMatch(len(actual), len(lower))
	mustMatch(len(actual), len(upper))
	inside, n := 0, 0
	for i, y := range actual {
		if math.IsNaN(y) || math.IsNaN(lower[i]) || math.IsNaN(upper[i]) {
			continue
		}
		n++
		if lower[i] <= y && y <= upper[i] {
			inside++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return float64(inside) / float64(n)
}

// Skill is how much better a measure is than that of a reference forecast, such as seasonal naive: 1 - measure/reference. 0.2 is 20 %
// better, negative is worse. NaN unless the reference is positive.
func Skill(measure, reference float64) float64 { return 1 - scaled(measure, reference) }

// mean averages loss over the positions where both are known.
func mean(actual, forecast []float64, loss func(y, f float64) float64) (m float64, n int) {
	mustMatch(len(actual), len(forecast))
	sum := 0.0
	for i, y := range actual {
		f := forecast[i]
		if math.IsNaN(y) || math.IsNaN(f) {
			continue
		}
		sum += loss(y, f)
		n++
	}
	if n == 0 {
		return math.NaN(), 0
	}
	return sum / float64(n), n
}

// overActuals is the sum of loss over the sum of absolute actuals; the counts of both means are the same.
func overActuals(actual, forecast []float64, loss func(y, f float64) float64) float64 {
	numerator, _ := mean(actual, forecast, loss)
	denominator, _ := mean(actual, forecast, func(y, _ float64) float64 { return math.Abs(y) })
	return scaled(numerator, denominator)
}

func seasonal(train []float64, m int, measure func(actual, forecast []float64) float64) float64 {
	if m < 1 || m >= len(train) {
		return math.NaN()
	}
	return measure(train[m:], train[:len(train)-m])
}

func scaled(v, scale float64) float64 {
	if !(scale > 0) {
		return math.NaN()
	}
	return v / scale
}

func mustMatch(a, b int) {
	if a != b {
		panic("accuracy: slices of different length")
	}
}
