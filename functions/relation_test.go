package functions_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"

	"github.com/almanacdb/almanac/engine/models"
	"github.com/almanacdb/almanac/functions"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relation is a table in memory.
type relation struct {
	name    string
	schema  *arrow.Schema
	batches []arrow.RecordBatch
	readErr error
}

func (r *relation) Name() string          { return r.name }
func (r *relation) Schema() *arrow.Schema { return r.schema }

func (r *relation) Read(_ context.Context, columns []string) (array.RecordReader, error) {
	if r.readErr != nil {
		return nil, r.readErr
	}
	fields := make([]arrow.Field, len(columns))
	index := make([]int, len(columns))
	for i, c := range columns {
		found := r.schema.FieldIndices(c)
		if len(found) != 1 {
			return nil, fmt.Errorf("column %q", c)
		}
		index[i] = found[0]
		fields[i] = r.schema.Field(found[0])
	}
	schema := arrow.NewSchema(fields, nil)
	var out []arrow.RecordBatch
	for _, b := range r.batches {
		cols := make([]arrow.Array, len(columns))
		for i, j := range index {
			cols[i] = b.Column(j)
		}
		out = append(out, array.NewRecordBatch(schema, cols, b.NumRows()))
	}
	reader, err := array.NewRecordReader(schema, out)
	for _, b := range out {
		b.Release()
	}
	return reader, err
}

// sale is a row of the test table; nil value or time is NULL.
type sale struct {
	store, sku string
	day        int // days since 2023-01-01; -1 is NULL
	units      float64
}

var epoch = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)

var salesSchema = arrow.NewSchema([]arrow.Field{
	{Name: "store", Type: arrow.BinaryTypes.String, Metadata: arrow.NewMetadata([]string{"mysql.type"}, []string{"varchar(20)"})},
	{Name: "sku", Type: arrow.BinaryTypes.String},
	{Name: "sold_on", Type: arrow.FixedWidthTypes.Date32, Nullable: true, Metadata: arrow.NewMetadata([]string{"mysql.type"}, []string{"date"})},
	{Name: "units", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "price", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
}, nil)

func sales(t *testing.T, mem memory.Allocator, rows []sale) *relation {
	t.Helper()
	b := array.NewRecordBuilder(mem, salesSchema)
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.StringBuilder).Append(r.store)
		b.Field(1).(*array.StringBuilder).Append(r.sku)
		if r.day < 0 {
			b.Field(2).AppendNull()
		} else {
			b.Field(2).(*array.Date32Builder).Append(arrow.Date32FromTime(epoch.AddDate(0, 0, r.day)))
		}
		if math.IsNaN(r.units) {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.Float64Builder).Append(r.units)
		}
		b.Field(4).(*array.Float64Builder).Append(2.5)
	}
	rel := &relation{name: "table sales", schema: salesSchema, batches: []arrow.RecordBatch{b.NewRecordBatch()}}
	t.Cleanup(func() {
		for _, b := range rel.batches {
			b.Release()
		}
	})
	return rel
}

// weekly gives n series of days observations with a weekly season, a level of its own each.
func weekly(series, days int) []sale {
	var rows []sale
	for s := range series {
		for d := range days {
			level := float64(20 + 3*s)
			units := level + 5*math.Sin(2*math.Pi*float64(d)/7) + float64((d*7919+s*104729)%11)/3
			rows = append(rows, sale{fmt.Sprintf("st%d", s%3), fmt.Sprintf("sku%02d", s), d, math.Round(units)})
		}
	}
	return rows
}

func env(mem memory.Allocator, workers int) (*functions.Env, *warnings) {
	w := &warnings{}
	return &functions.Env{Models: models.All(), Workers: workers, Memory: mem, Warn: w.add, Progress: w.progress}, w
}

type warnings struct {
	mu          sync.Mutex
	list        []string
	done, total int
}

func (w *warnings) add(m string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, m)
}

func (w *warnings) progress(done, total int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done, w.total = max(w.done, done), total
}

func spec(name string) *functions.Spec {
	for _, s := range functions.All() {
		if s.Name == name {
			return s
		}
	}
	panic("no function " + name)
}

// call runs a function and returns its rows as text, one string per row with columns separated by " | ".
func call(t *testing.T, e *functions.Env, name string, rel functions.Relation, args ...functions.Value) ([]string, *arrow.Schema, error) {
	t.Helper()
	return callContext(t.Context(), e, name, rel, args...)
}

func callContext(ctx context.Context, e *functions.Env, name string, rel functions.Relation, args ...functions.Value) ([]string, *arrow.Schema, error) {
	s := spec(name)
	bound, err := functions.Bind(s, rel, args, e)
	if err != nil {
		return nil, nil, err
	}
	reader, err := s.Run(ctx, e, bound)
	if err != nil {
		return nil, nil, err
	}
	defer reader.Release()
	var rows []string
	for reader.Next() {
		batch := reader.RecordBatch()
		if !batch.Schema().Equal(bound.Schema()) {
			return nil, nil, fmt.Errorf("batch has schema %v, declared is %v", batch.Schema(), bound.Schema())
		}
		for i := range int(batch.NumRows()) {
			cells := make([]string, batch.NumCols())
			for c := range cells {
				cells[c] = batch.Column(c).ValueStr(i)
			}
			rows = append(rows, strings.Join(cells, " | "))
		}
	}
	return rows, bound.Schema(), reader.Err()
}

func wantError(t *testing.T, err error, code string, parts ...string) {
	t.Helper()
	var fault *functions.Error
	if !errors.As(err, &fault) {
		t.Fatalf("error %v is no *functions.Error", err)
	}
	if fault.Code != code {
		t.Errorf("code is %s, want %s: %v", fault.Code, code, err)
	}
	if fault.Fix == "" || len(fault.SQLState) != 5 {
		t.Errorf("no fix or SQLSTATE: %+v", fault)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error lacks %q:\n%v", p, err)
		}
	}
}

func names(s *arrow.Schema) []string {
	var n []string
	for _, f := range s.Fields() {
		n = append(n, f.Name)
	}
	return n
}

func equalNames(t *testing.T, s *arrow.Schema, want ...string) {
	t.Helper()
	if got := names(s); !slices.Equal(got, want) {
		t.Errorf("columns are %v, want %v", got, want)
	}
}
