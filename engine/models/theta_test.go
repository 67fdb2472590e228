package models

import "testing"

// TestTheta compares with R's thetaf. R minimises the squared error by a simplex search that stops at a relative change of
// 1e-8; alpha then agrees to about four digits, and the forecast to 1e-4 of its size.
func TestTheta(t *testing.T) {
	checkTheta(t, classics(t))
}

func TestThetaCompetitions(t *testing.T) {
	checkTheta(t, competitionSeries(t))
}

func checkTheta(t *testing.T, all []*rSeries) {
	equal := 0
	for _, r := range all {
		if r.Theta == nil || r.Theta.Mean == nil {
			continue
		}
		f, fc := fitForecast(t, mustNew(t, Theta(), ""), r.series(), len(r.Theta.Mean))
		mean, bound := deviation(fc, r.Theta)
		if mean <= 1e-4 && bound <= 1e-4 {
			equal++
			continue
		}
		// The half-width of the first interval tells the residual variance: where the answers differ ours must be the
		// better least squares fit.
		ours, theirs := fc.Quantiles[3][0]-fc.Mean[0], r.Theta.Upper95[0]-r.Theta.Mean[0]
		t.Logf("%s: mean deviates by %.2g, bounds by %.2g; alpha %v, R %v; interval %.6g, R %.6g", r.ID, mean, bound,
			f.Describe().Params[0].Value, r.Theta.Alpha, ours, theirs)
		if ours > theirs*(1+1e-6) {
			t.Errorf("%s: R's fit is better", r.ID)
		}
	}
	if equal < len(all)*8/10 {
		t.Errorf("only %d of %d equal R's", equal, len(all))
	}
}
