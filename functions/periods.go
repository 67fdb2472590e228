package functions

import (
	"math"
	"slices"
	"strconv"

	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/decompose"
	"github.com/almanacdb/almanac/engine/series"
)

// longestFound is the longest seasonal period taken from the data alone for a forecast: the models pay for every season, and one that the
// calendar does not explain needs many cycles to be believed.
const longestFound = 96

// periodDoc is the rule for the manual.
var periodDoc = `Seasonal periods: option ` + "`period`" + ` if given. Otherwise those natural to the frequency (hours 24 and 168, days 7, business days 5, weeks 52,
months 12, quarters 4) of which the series has two full cycles; they are not tested, as the models do that. Years have none. Where the spacing says nothing of
seasons (whole numbers, every 10 days), the period is looked for in each series: 4, 7, 12, 24 and 52, as of numbered quarters, days, months, hours and
weeks, from two cycles on, any other from at least four on, up to ` + strconv.Itoa(longestFound) + ` observations, and only if it is
significant at level 0.01 against autocorrelated noise.`

// usual are the periods that whole numbers most often count towards.
var usual = []int{4, 7, 12, 24, 52}

// periodRule finds the seasonal periods of a panel's series. It is immutable and safe for concurrent use.
type periodRule struct {
	bound *Bound
	// unknown is set where the frequency says nothing of seasons; panel are the periods that the series have in common then.
	unknown bool
	panel   []int
	// yearly is the length of a year for functions that take it as a second period; 0 otherwise.
	yearly int
}

func newPeriodRule(b *Bound, panel *series.Panel) *periodRule {
	r := &periodRule{bound: b}
	if b.Options.PeriodsGiven || panel.Len() == 0 {
		return r
	}
	natural := panel.Series(0).Periods
	r.unknown = len(natural) == 0 && !isYearly(panel.Freq())
	if r.unknown && panel.Len() > 1 {
		for _, p := range decompose.DetectPeriods(together(panel), decompose.DetectOptions{Natural: usual, Max: maxSeasonal}) {
			r.panel = append(r.panel, p.Length)
		}
		slices.Sort(r.panel)
	}
	if b.Spec.yearly && len(natural) > 0 {
		r.yearly = yearLength(panel.Freq())
	}
	return r
}

// of gives the seasonal periods of a series, shortest first, and those among them that the data alone suggested.
func (r *periodRule) of(s series.Series, d *decompose.Detector) (periods, found []int) {
	if r.bound.Options.PeriodsGiven {
		return r.bound.Options.Periods, nil
	}
	if r.unknown {
		o := decompose.DetectOptions{Natural: append(slices.Clip(r.panel), usual...), Max: 1}
		if r.bound.Spec.yearly {
			o.Max = maxSeasonal
		}
		for _, p := range d.Detect(s.Y, o) {
			if m := shortest(s, p, d); (m <= longestFound || r.bound.Spec.yearly) && !slices.Contains(found, m) {
				found = append(found, m)
			}
		}
		slices.Sort(found)
		return found, found
	}
	periods = s.Periods
	for i, m := range periods {
		if len(s.Y) < 2*m {
			periods = periods[:i:i]
			break
		}
	}
	if r.yearly > 0 && len(periods) == 1 && len(s.Y) > 2*r.yearly {
		// The means of whole weeks (or days, of hours) show a year as well, and in a seventh of the time.
		m := periods[0]
		year := int(math.Round(float64(r.yearly) / float64(m)))
		if len(d.Detect(cycleMeans(s.Y, m), decompose.DetectOptions{Natural: []int{year}, NaturalOnly: true, Max: 1})) > 0 {
			return []int{m, r.yearly}, nil
		}
	}
	return periods, nil
}

// shortest is the usual period that says nearly as much as its multiple p: twelve months also repeat every 24.
func shortest(s series.Series, p decompose.Period, d *decompose.Detector) int {
	for _, m := range usual {
		if m < p.Length && p.Length%m == 0 {
			q := d.Detect(s.Y, decompose.DetectOptions{Natural: []int{m}, NaturalOnly: true, Max: 1})
			if len(q) > 0 && q[0].Strength >= 0.9*p.Strength {
				return m
			}
		}
	}
	return p.Length
}

// common gives the periods that all series share, the year among them: what CLUSTER_TRENDS averages over and looks for in the
// centres.
func (r *periodRule) common(panel *series.Panel) []int {
	switch {
	case r.bound.Options.PeriodsGiven:
		return r.bound.Options.Periods
	case r.unknown:
		return r.panel
	}
	periods := panel.Series(0).Periods
	if r.yearly > 0 {
		periods = append(slices.Clip(periods), r.yearly)
	}
	return periods
}

// isYearly reports a frequency of whole years, which have no season within.
func isYearly(f calendar.Frequency) bool { return f.Unit == calendar.Month && f.N%12 == 0 }

// yearLength is the number of periods in a year for frequencies finer than a week; 0 for others.
func yearLength(f calendar.Frequency) int {
	switch length, fixed := f.Length(); {
	case f.Unit == calendar.BusinessDay && f.N == 1:
		return 261
	case !fixed || f.Unit == calendar.Integer || length >= calendar.MicrosPerWeek:
		return 0
	default:
		return int(math.Round(365.25 * float64(calendar.MicrosPerDay) / float64(length)))
	}
}

// together is the mean of the standardised series at each period of the panel's span, NaN where none has a value.
func together(panel *series.Panel) []float64 {
	offsets, length := layOut(panel)
	if length > maxTogether {
		return nil
	}
	sum, count := make([]float64, length), make([]float64, length)
	for i, offset := range offsets {
		y := panel.Series(i).Y
		mean, deviation := meanDeviation(y)
		if !(deviation > 0) {
			continue
		}
		for t, v := range y {
			if !math.IsNaN(v) {
				sum[offset+t] += (v - mean) / deviation
				count[offset+t]++
			}
		}
	}
	for t := range sum {
		sum[t] /= count[t] // 0/0 is NaN
	}
	return sum
}

// maxTogether bounds the memory of together: series that lie far apart have no common time.
const maxTogether = 1 << 22

// layOut places the series on one axis of periods, counted from the earliest start, and gives the length of it all. Distances
// beyond what an int holds saturate.
func layOut(panel *series.Panel) (offsets []int, length int) {
	earliest := int64(math.MaxInt64)
	for i := range panel.Len() {
		earliest = min(earliest, panel.Series(i).Start)
	}
	grid := calendar.NewGrid(panel.Freq(), earliest)
	offsets = make([]int, panel.Len())
	for i := range offsets {
		s := panel.Series(i)
		var ok bool
		if offsets[i], ok = grid.Distance(earliest, s.Start); !ok || offsets[i] > math.MaxInt-len(s.Y) {
			offsets[i] = math.MaxInt - len(s.Y)
		}
		length = max(length, offsets[i]+len(s.Y))
	}
	return offsets, length
}

// cycleMeans are the means of the known values of each whole cycle of m, laid from the end; NaN where there is none.
func cycleMeans(y []float64, m int) []float64 {
	means := make([]float64, len(y)/m)
	y = y[len(y)%m:]
	for i := range means {
		n := 0.0
		for _, v := range y[i*m : (i+1)*m] {
			if !math.IsNaN(v) {
				means[i] += v
				n++
			}
		}
		means[i] /= n
	}
	return means
}

func meanDeviation(y []float64) (mean, deviation float64) {
	n, square := 0.0, 0.0
	for _, v := range y {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		n++
		step := v - mean
		mean += step / n
		square += step * (v - mean)
	}
	return mean, math.Sqrt(square / n)
}
