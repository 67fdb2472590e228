package models

import (
	"fmt"
	"strings"

	"github.com/almanacdb/almanac/engine"
)

// etsForm is one of the 30 exponential smoothing methods in the taxonomy of Hyndman, Koehler, Ord & Snyder (2008), table
// 2.1: error, trend and season are each 'N' (none), 'A' (additive) or 'M' (multiplicative); 'Z' in a request means "to be
// chosen".
type etsForm struct {
	err, trend, season byte
	damped             bool
}

// String is the usual notation, such as ETS(M,Ad,M).
func (f etsForm) String() string {
	d := ""
	if f.damped {
		d = "d"
	}
	return fmt.Sprintf("ETS(%c,%c%s,%c)", f.err, f.trend, d, f.season)
}

// smoothing counts the smoothing and damping parameters.
func (f etsForm) smoothing() int {
	n := 1
	if f.trend != 'N' {
		n++
	}
	if f.season != 'N' {
		n++
	}
	if f.damped {
		n++
	}
	return n
}

// params counts what the likelihood is maximised over: smoothing parameters and free initial states (the seasonal ones
// have a fixed sum). The innovations' variance comes on top in the information criteria.
func (f etsForm) params(m int) int {
	n := f.smoothing() + 1
	if f.trend != 'N' {
		n++
	}
	if f.season != 'N' {
		n += m - 1
	}
	return n
}

// positive reports whether the form needs positive data.
func (f etsForm) positive() bool { return f.err == 'M' || f.trend == 'M' || f.season == 'M' }

// stable reports whether the form is among those that automatic selection may use: additive errors with anything
// multiplicative, and multiplicative error and trend with an additive season, have infinite forecast variance or
// divide by values near zero (Hyndman et al. 2008, section 4.5 and chapter 15).
func (f etsForm) stable() bool {
	if f.err == 'A' {
		return f.trend != 'M' && f.season != 'M'
	}
	return f.trend != 'M' || f.season != 'A'
}

// etsRequest is what a user asked for: 'Z' leaves a component open, and damping is open unless dampedSet.
type etsRequest struct {
	etsForm
	dampedSet bool
	evidence  float64 // etsUndampedEvidence; 0 in tests that compare bare AICc
}

// parseETS reads "", "(M,Ad,M)", "(AAdM)", "MAdM" and the like, in any case.
func parseETS(args string) (etsRequest, error) {
	open := etsRequest{etsForm: etsForm{err: 'Z', trend: 'Z', season: 'Z'}, evidence: etsUndampedEvidence}
	inside, balanced := inBrackets(args)
	text := strings.ToUpper(strings.Join(words(inside), ""))
	if text == "" && balanced {
		return open, nil
	}
	syntax := func() error {
		return fmt.Errorf("%w: ets%s: write error, trend and season, such as ets(M,Ad,M); each is N, A, M or Z (find it), Ad and Md are damped trends",
			engine.ErrSyntax, args)
	}
	r := etsRequest{dampedSet: true, evidence: etsUndampedEvidence}
	if len(text) == 4 && text[2] == 'D' {
		r.damped = true
		text = text[:2] + text[3:]
	}
	if len(text) != 3 || !balanced {
		return open, syntax()
	}
	r.err, r.trend, r.season = text[0], text[1], text[2]
	ok := strings.IndexByte("AMZ", r.err) >= 0 && strings.IndexByte("NAMZ", r.trend) >= 0 && strings.IndexByte("NAMZ", r.season) >= 0
	if !ok || r.damped && r.trend == 'N' {
		return open, syntax()
	}
	if r.trend == 'Z' && !r.damped {
		r.dampedSet = false
	}
	return r, nil
}

// fixed reports whether nothing is left to choose.
func (r etsRequest) fixed() bool {
	return r.err != 'Z' && r.trend != 'Z' && r.season != 'Z'
}

// forms lists the forms to try, simplest first. Left open, the trend is none or additive; components that the user named
// are kept even where automatic selection would not use them.
func (r etsRequest) forms(seasonal, positive bool) []etsForm {
	pick := func(asked byte, all string) string {
		if asked != 'Z' {
			return string(asked)
		}
		return all
	}
	var forms []etsForm
	seasons := "N"
	if seasonal {
		seasons = pick(r.season, "NAM")
	}
	for _, s := range seasons {
		for _, t := range pick(r.trend, "NA") {
			for _, damped := range []bool{false, true} {
				for _, e := range pick(r.err, "AM") {
					f := etsForm{byte(e), byte(t), byte(s), damped}
					switch {
					case damped && (t == 'N' || r.dampedSet && !r.damped),
						!damped && r.dampedSet && r.damped,
						!r.fixed() && !f.stable(),
						!positive && f.positive():
						continue
					}
					forms = append(forms, f)
				}
			}
		}
	}
	return forms
}
