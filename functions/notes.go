package functions

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/series"
)

// panelNotes says in words what a reader must know of the rows of a series. It is immutable and safe for concurrent use.
type panelNotes struct {
	bound *Bound
	panel *series.Panel
	grid  calendar.Grid
	one   string // what a period is called
	last  int64  // the panel's last known time
}

func newPanelNotes(b *Bound, panel *series.Panel) *panelNotes {
	n := &panelNotes{bound: b, panel: panel, last: math.MinInt64}
	for i := range panel.Len() {
		if length := len(panel.Series(i).Y); length > 0 {
			n.last = max(n.last, panel.Time(i, length-1))
		}
	}
	n.grid = calendar.NewGrid(panel.Freq(), n.last)
	n.one, _ = periodWords(panel.Freq())
	return n
}

// of is what was done to series i, "" if nothing. What weighs most for a forecast comes first.
func (p *panelNotes) of(i int) string {
	r := p.panel.Report(i)
	one, many := periodWords(p.panel.Freq())
	var notes []string
	if length := len(p.panel.Series(i).Y); length > 0 {
		if behind, ok := p.grid.Distance(p.panel.Time(i, length-1), p.last); ok && behind > 0 {
			notes = append(notes, fmt.Sprintf("ends %s before the panel's last %s", plural(behind, one, many), one))
		}
	}
	notes = append(notes, p.edges(i)...)
	say := func(n int, format string) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, plural(n, one, many)))
		}
	}
	say(r.Zeros, "%s without a row counted as zero")
	say(r.Interpolated, "%s without a row interpolated")
	say(r.Carried, "%s without a row filled with the value before")
	say(r.Unknown, "%s without a row left unknown")
	if r.Nulls > 0 {
		notes = append(notes, plural(r.Nulls, "NULL value", "NULL values")+" left unknown")
	}
	if r.NullsFilled > 0 {
		notes = append(notes, plural(r.NullsFilled, "NULL value", "NULL values")+" filled")
	}
	if r.Trailing > 0 {
		notes = append(notes, plural(r.Trailing, "row", "rows")+" with NULL after the last known value left out")
	}
	if r.Duplicates > 0 && p.bound.Options.Freq.IsZero() {
		notes = append(notes, plural(r.Duplicates, "further row", "further rows")+" of the same "+one+" taken in by agg="+p.bound.Options.Agg)
	}
	return strings.Join(notes, "; ")
}

// edges are the incomplete periods at the panel's ends that concern series i.
func (p *panelNotes) edges(i int) (notes []string) {
	r, length := p.panel.Report(i), len(p.panel.Series(i).Y)
	for _, e := range p.panel.Edges() {
		switch {
		case e.LeftOut && (e.Last && r.After > 0 || !e.Last && r.Before > 0):
			notes = append(notes, e.String()+" and was left out")
		case e.LeftOut:
		case length > 0 && (e.Last && p.panel.Time(i, length-1) == e.Time || !e.Last && p.panel.Time(i, 0) == e.Time):
			notes = append(notes, e.String()+" and counts as a whole, as there is no whole "+p.one)
		}
	}
	return notes
}

// foundPeriods tells of seasonal periods that the calendar does not explain.
func foundPeriods(found []int) string {
	if len(found) == 1 {
		return fmt.Sprintf("seasonal period %d found in the data", found[0])
	}
	return fmt.Sprintf("seasonal periods %s found in the data", strings.Join(strings.Fields(strings.Trim(fmt.Sprint(found), "[]")), " and "))
}

// periodWords names a period of the frequency.
func periodWords(f calendar.Frequency) (one, many string) {
	words := map[calendar.Frequency][2]string{
		{Unit: calendar.Second, N: 1}: {"second", "seconds"}, {Unit: calendar.Minute, N: 1}: {"minute", "minutes"},
		{Unit: calendar.Hour, N: 1}: {"hour", "hours"}, {Unit: calendar.Day, N: 1}: {"day", "days"},
		{Unit: calendar.BusinessDay, N: 1}: {"business day", "business days"}, {Unit: calendar.Week, N: 1}: {"week", "weeks"},
		{Unit: calendar.Month, N: 1}: {"month", "months"}, {Unit: calendar.Month, N: 3}: {"quarter", "quarters"},
		{Unit: calendar.Month, N: 12}: {"year", "years"},
	}
	if w, ok := words[f]; ok {
		return w[0], w[1]
	}
	return "period", "periods"
}

// joinNotes makes one status of several notes; "ok" if there are none.
func joinNotes(first string, rest ...string) string {
	notes := make([]string, 0, 1+len(rest))
	if first != "" && first != "ok" {
		notes = append(notes, first)
	}
	for _, n := range rest {
		if n != "" && !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	if len(notes) == 0 {
		return "ok"
	}
	return strings.Join(notes, "; ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// percent writes a share as people do: 9 %, 0.4 %, never 0 % or 100 % of what is not.
func percent(share float64) string {
	p := 100 * share
	if p > 0 && p < 1 || p > 99 && p < 100 {
		return fmt.Sprintf("%.1f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}
