package functions

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/engine/cluster"
	"github.com/almanacdb/almanac/engine/series"
)

const clusterDoc = `
Two series have the same trend if their curves rise and fall together, whatever their level and scale: each curve is scaled to mean 0 and
standard deviation 1. All curves cover the same window of calendar time, the longest for which four fifths of the series have
data; ` + "`align=stretch`" + ` compares whole series instead, each stretched over its own length. Long curves are averaged over whole seasonal
cycles (weeks of daily data), so that the weekly pattern, which most products share, does not decide.

A series that covers only part of the window, such as a new product, takes no part in forming the clusters. It is put into the one whose
centre resembles it most over that part, and its status says how much that is: the less, the more doubtful. It needs 6 points of the curve, or half
of them; one with fewer, or without any value in the window, has no cluster.

The word in column trend describes the centre:

- ` + "`seasonal`" + `: a cycle (the year, the natural periods of the frequency, or another one found in the data) is significant at level 0.01 against
  autocorrelated noise, explains a quarter of the variance, and more than the trend line does. A year takes two years of data.
- ` + "`rising`, `falling`" + `: beside the season, a straight line explains a quarter of the variance, with a Mann–Kendall test at level 0.05.
- ` + "`flat`" + `: neither, or a movement below a quarter of a standard deviation of a series.

The words say what the curve did within the window, not that it goes on.

Clusters are numbered from 1 by size, the largest first. With ` + "`k = 'auto'`" + ` their number is the one from 2 to max_k with the greatest mean
silhouette (Rousseeuw 1987).
`

func clustersArg() Arg {
	return Arg{Name: "k", Kind: Clusters, Doc: "the number of clusters, or `'auto'`"}
}

func clusterOptions() []Option {
	return append(sharedOptions(),
		words("algorithm", "auto", "`kmeans`: k-means++, the centre is the mean curve. `kmedoids`: FasterPAM, the centre is the most central series. `auto` is kmedoids with distance=dtw, else kmeans.",
			func(o *Options) *string { return &o.Algorithm }, append([]string{"auto"}, cluster.AlgorithmNames()...)...),
		words("distance", "euclidean", "`euclidean`: root mean squared difference of the scaled curves. `correlation`: 1 − r. `dtw`: dynamic time warping, which lets curves run a little ahead or behind.",
			func(o *Options) *string { return &o.Distance }, cluster.DistanceNames()...),
		words("align", "calendar", "`calendar` compares the same calendar time; `stretch` compares whole series whenever they began (life cycles).",
			func(o *Options) *string { return &o.Align }, cluster.AlignNames()...),
		Option{
			Name: "band", Values: "a fraction above 0, up to 1", Default: "0.1",
			Doc: "How far dtw may warp, as a share of the curve's length (Sakoe–Chiba band).",
			set: func(c *call, s setting) error {
				f, err := strconv.ParseFloat(unquote(s.text), 64)
				if err != nil || !(f > 0 && f <= 1) {
					return reject("write band=0.1.", "option 'band' is '%s'; it is a fraction above 0, up to 1", s.text)
				}
				c.bound.Options.Band = f
				return nil
			},
		},
		Option{
			Name: "max_k", Values: "a whole number from 2", Default: "10",
			Doc: "The largest number of clusters tried for k = 'auto'.",
			set: func(c *call, s setting) error {
				n, err := strconv.Atoi(unquote(s.text))
				if err != nil || n < 2 || n > maxClusters {
					return reject("write max_k=10.", "option 'max_k' is '%s'; it is a whole number from 2 to %d", s.text, maxClusters)
				}
				c.bound.Options.MaxK = n
				return nil
			},
		},
	)
}

func checkClusters(c *call) error {
	o := c.bound.Options
	switch {
	case o.Distance == "dtw" && o.Algorithm == "kmeans":
		return &badValue{codeConflict, "distance=dtw has no mean curve, so algorithm=kmeans cannot use it", "write algorithm=kmedoids, or leave algorithm out."}
	case o.Band != 0 && o.Distance != "dtw":
		return &badValue{codeConflict, "option 'band' is for distance=dtw, and distance is " + o.Distance, "write distance=dtw, or leave band out."}
	case o.MaxK != 0 && c.bound.Clusters != 0:
		return &badValue{codeConflict, fmt.Sprintf("option 'max_k' is for k = 'auto', and k is %d", c.bound.Clusters), "write 'auto' for k, or leave max_k out."}
	}
	return nil
}

func clusterTrendsSpec() *Spec {
	return &Spec{
		Name:    "CLUSTER_TRENDS",
		Summary: "Groups the series whose curves rise and fall together, and says in a word what each group does.",
		Doc:     clusterDoc,
		Args:    []Arg{timeArg(), valueArg(), clustersArg()},
		Options: clusterOptions(),
		columns: []OutputColumn{
			{"cluster", whole, "number of the series' cluster, 1 being the largest; NULL without one"},
			{"distance", real, "distance to the centre of its cluster"},
			{"silhouette", real, "how much nearer the series is to its own cluster than to the next, −1 to 1; NULL with a single cluster"},
			{"is_medoid", arrow.PrimitiveTypes.Int8, "1 for the member nearest to the centre, one for each cluster"},
			{"size", whole, "number of series in the cluster"},
			{"trend", text, "what the curve of the cluster does: rising, falling, flat or seasonal"},
			{"status", text, statusDoc},
		},
		yearly: true,
		check:  checkClusters,
		Output: outputSchema,
		Examples: []Example{
			{
				Title: "Six groups of products, with their most typical member",
				SQL:   "SELECT sku, cluster, size, trend FROM CLUSTER_TRENDS('SELECT sold_on, sku, SUM(units) AS units FROM demo.sales GROUP BY sold_on, sku', 'sold_on', 'units', 6, 'by=sku') WHERE is_medoid = 1 ORDER BY cluster",
			},
			{
				Title: "Where a new product and a withdrawn one belong",
				SQL:   "SELECT sku, cluster, distance, trend, status FROM CLUSTER_TRENDS('demo.sales', 'sold_on', 'units', 4, 'by=store,sku') WHERE store = 'Exeter' AND status <> 'ok'",
			},
			{
				Title: "The number of groups left to the data",
				SQL:   "SELECT cluster, MAX(trend) AS trend, COUNT(*) AS n FROM CLUSTER_TRENDS('demo.sales', 'sold_on', 'units', 'auto', 'by=store,sku; distance=correlation') GROUP BY cluster ORDER BY cluster",
			},
		},
		Run: runClusterTrends,
	}
}

func clusterProfilesSpec() *Spec {
	return &Spec{
		Name:    "CLUSTER_PROFILES",
		Summary: "The typical curve of each cluster that CLUSTER_TRENDS finds with the same arguments.",
		Doc: clusterDoc + `
One row for each cluster and position. The value is in standard deviations; with kmedoids it is the curve of the medoid. Positions run from 1, the
start of the window (or, stretched, of the series), to its end.
`,
		Args:    []Arg{timeArg(), valueArg(), clustersArg()},
		Options: clusterOptions(),
		columns: []OutputColumn{
			{"cluster", whole, "number of the cluster, 1 being the largest"},
			{"position", whole, "position along the curve, from 1"},
			{"value", real, "the centre's value there, in standard deviations of a series"},
			{"size", whole, "number of series in the cluster"},
		},
		noKeys: true,
		yearly: true,
		check:  checkClusters,
		Output: outputSchema,
		Examples: []Example{{
			Title: "The curves of four groups, for a chart",
			SQL:   "SELECT * FROM CLUSTER_PROFILES('demo.sales', 'sold_on', 'units', 4, 'by=store,sku') WHERE cluster = 1 AND position <= 8",
		}},
		Run: runClusterProfiles,
	}
}

// clustering is the panel with its clusters.
type clustering struct {
	panel  *series.Panel
	result *cluster.Result
}

// findClusters reads the source and clusters it; nil for an empty source.
func findClusters(ctx context.Context, env *Env, b *Bound) (_ *clustering, err error) {
	panel, err := readPanel(ctx, env, b)
	if err != nil || panel == nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			panel.Release()
		}
	}()
	options, err := clusterSettings(env, b, panel)
	if err != nil {
		return nil, err
	}
	result, err := cluster.Trends(ctx, curves(panel), options)
	if err != nil {
		return nil, clusterError(ctx, b, err)
	}
	if b.Options.OnError == "fail" {
		for i, m := range result.Members {
			if m.Cluster == 0 {
				return nil, fault(codeTooShort, b.Spec.Name, "leave it out with WHERE, set align=stretch, or on_error=report to keep the other series.",
					"series %s: %s", panel.KeyString(i), memberNote(m))
			}
		}
	}
	return &clustering{panel, result}, nil
}

func clusterSettings(env *Env, b *Bound, panel *series.Panel) (o cluster.Options, err error) {
	name := b.Options.Algorithm
	if name == "auto" {
		name = cluster.KMeansAlgorithm.String()
		if b.Options.Distance == cluster.DTW.String() {
			name = cluster.KMedoidsAlgorithm.String()
		}
	}
	if o.Algorithm, err = cluster.ParseAlgorithm(name); err != nil {
		return o, err
	}
	if o.Distance, err = cluster.ParseDistance(b.Options.Distance); err != nil {
		return o, err
	}
	if o.Align, err = cluster.ParseAlign(b.Options.Align); err != nil {
		return o, err
	}
	o.K, o.MaxK, o.Band, o.Seed = b.Clusters, b.Options.MaxK, b.Options.Band, b.Options.Seed
	o.Workers, o.Progress = max(1, env.Workers), env.Progress
	o.Periods = newPeriodRule(b, panel).common(panel)
	return o, nil
}

// curves places the series on one axis of periods, counted from the earliest start.
func curves(panel *series.Panel) []cluster.Series {
	offsets, _ := layOut(panel)
	all := make([]cluster.Series, panel.Len())
	for i := range all {
		all[i] = cluster.Series{Y: panel.Series(i).Y, Offset: offsets[i]}
	}
	return all
}

func clusterError(ctx context.Context, b *Bound, err error) error {
	var count *cluster.CountError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &count):
		what := plural(count.Series, "series", "series")
		if count.Distinct < count.Series {
			what += fmt.Sprintf(" of %d different shapes", count.Distinct)
		}
		return fault(codeTooFewSeries, b.Spec.Name, fmt.Sprintf("set k to %d or less, or to 'auto', or name more key columns in by.", max(1, count.Distinct)), "k is %d, but there are only %s", count.K, what).because(err)
	case errors.Is(err, cluster.ErrNoSeries):
		return fault(codeTooFewSeries, b.Spec.Name, "name the key columns in by, so that there are several series of some length.", "%v", err).because(err)
	}
	return fault(codeInternal, b.Spec.Name, "please report this, with the statement.", "%v", err).because(err)
}

// memberNote says what is special about a series' place, "" if nothing.
func memberNote(m cluster.Member) string {
	switch m.Status {
	case cluster.Constant:
		return "constant"
	case cluster.Partial:
		return fmt.Sprintf("covers %s of the window; put into the cluster nearest to that part", percent(m.Covered))
	case cluster.TooShort:
		return fmt.Sprintf("too short to compare: covers %s of the window, %s of the curve", percent(m.Covered), plural(m.Points, "point", "points"))
	case cluster.Outside:
		return "no value within the window that most series cover"
	case cluster.AllMissing:
		return "no known value"
	}
	return ""
}

// Positions of CLUSTER_TRENDS' columns behind the keys.
const (
	ctCluster = iota
	ctDistance
	ctSilhouette
	ctMedoid
	ctSize
	ctTrend
	ctStatus
)

func runClusterTrends(ctx context.Context, env *Env, b *Bound) (array.RecordReader, error) {
	return runClusters(ctx, env, b, func(c *clustering) (int, func(*rows, int)) {
		notes := newPanelNotes(b, c.panel)
		return len(c.result.Members), func(out *rows, i int) {
			m := c.result.Members[i]
			out.current = int32(i)
			out.begin(0)
			status := joinNotes(notes.of(i), memberNote(m))
			if m.Cluster == 0 {
				for column := ctCluster; column < ctStatus; column++ {
					out.null(column)
				}
				out.text(ctStatus, status)
				return
			}
			group := c.result.Clusters[m.Cluster-1]
			out.whole(ctCluster, int64(m.Cluster))
			out.real(ctDistance, m.Distance)
			out.real(ctSilhouette, m.Silhouette)
			out.flag(ctMedoid, m.Medoid)
			out.whole(ctSize, int64(group.Size))
			out.text(ctTrend, group.Trend)
			out.text(ctStatus, status)
		}
	})
}

// Positions of CLUSTER_PROFILES' columns.
const (
	cpCluster = iota
	cpPosition
	cpValue
	cpSize
)

func runClusterProfiles(ctx context.Context, env *Env, b *Bound) (array.RecordReader, error) {
	return runClusters(ctx, env, b, func(c *clustering) (int, func(*rows, int)) {
		return len(c.result.Clusters), func(out *rows, i int) {
			group := c.result.Clusters[i]
			for p, v := range group.Centre {
				out.begin(0)
				out.whole(cpCluster, int64(i+1))
				out.whole(cpPosition, int64(p+1))
				out.real(cpValue, v)
				out.whole(cpSize, int64(group.Size))
			}
		}
	})
}

// runClusters finds the clusters in the first Next and then writes units, several to a batch. The work is in the clustering, which
// uses all workers itself, so one goroutine writes.
func runClusters(ctx context.Context, env *Env, b *Bound, of func(*clustering) (units int, write func(*rows, int))) (array.RecordReader, error) {
	if b.Provisional {
		return nil, notReady(b)
	}
	prepare := func(ctx context.Context) (*plan, error) {
		c, err := findClusters(ctx, env, b)
		if err != nil || c == nil {
			return &plan{}, err
		}
		outcome := newReport(&Env{Warn: env.Warn}, b, c.panel.Len())
		for i, m := range c.result.Members {
			if m.Cluster == 0 {
				outcome.failure(i, c.panel.KeyString(i), memberNote(m))
			}
		}
		units, write := of(c)
		const perChunk = 1024
		return &plan{
			chunks: (units + perChunk - 1) / perChunk,
			newWorker: func() chunkWorker {
				out := newRows(b.schema, b, c.panel, env.memory())
				return &unitChunks{out: out, units: units, perChunk: perChunk, write: write}
			},
			finish: outcome.finish,
			close:  c.panel.Release,
		}, nil
	}
	return newStream(ctx, b.schema, 1, prepare), nil
}

// unitChunks writes units that are computed already.
type unitChunks struct {
	out             *rows
	units, perChunk int
	write           func(*rows, int)
}

func (u *unitChunks) chunk(ctx context.Context, i int) (arrow.RecordBatch, error) {
	for unit := i * u.perChunk; unit < min((i+1)*u.perChunk, u.units); unit++ {
		u.write(u.out, unit)
	}
	return u.out.batch(ctx)
}

func (u *unitChunks) close() { u.out.close() }
