package functions_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/models"
	"github.com/almanacdb/almanac/functions"
)

// bindEnv offers the real models behind those of the tests.
func bindEnv() *functions.Env {
	return &functions.Env{Models: append(testModels(), models.All()...), Workers: 1}
}

func TestBindMistakes(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, nil)
	type args = []functions.Value
	tests := []struct {
		name string
		fn   string
		args args
		code string
		want []string
	}{
		{"misspelt time", "FORECAST", args{"sold_onn", "units", 7}, "FC0103", []string{"time_column 'sold_onn'", "table sales", "did you mean 'sold_on'?", "store, sku, sold_on, units, price"}},
		{"misspelt value", "FORECAST", args{"sold_on", "unit", 7}, "FC0103", []string{"'units'"}},
		{"misspelt key", "FORECAST", args{"sold_on", "units", 7, "by=stor"}, "FC0103", []string{"by 'stor'", "did you mean 'store'"}},
		{"hopeless column", "FORECAST", args{"zzz", "units", 7}, "FC0103", []string{"the columns are store, sku"}},
		{"text as value", "FORECAST", args{"sold_on", "store", 7}, "FC0105", []string{"holds text, not numbers", "'units'"}},
		{"text as time", "FORECAST", args{"store", "units", 7}, "FC0105", []string{"holds text", "'sold_on'"}},
		{"swapped", "FORECAST", args{"units", "sold_on", 7}, "FC0105", []string{"numbers with a fraction"}},
		{"column is a number", "FORECAST", args{int64(3), "units", 7}, "FC0102", []string{"the number 3", "'sold_on'"}},
		{"column is NULL", "FORECAST", args{nil, "units", 7}, "FC0102", []string{"NULL"}},
		{"too few", "FORECAST", args{"sold_on", "units"}, "FC0101", []string{"no horizon", "FORECAST(source, time_column, value_column, horizon [, options])"}},
		{"too many", "FORECAST", args{"sold_on", "units", 7, "by=store", "x"}, "FC0101", nil},
		{"horizon forgotten", "FORECAST", args{"sold_on", "units", "by=store"}, "FC0101", []string{"horizon"}},
		{"horizon 0", "FORECAST", args{"sold_on", "units", int64(0)}, "FC0107", []string{"horizon is 0", "1 to 100000"}},
		{"horizon negative", "FORECAST", args{"sold_on", "units", int64(-3)}, "FC0107", []string{"-3"}},
		{"horizon huge", "FORECAST", args{"sold_on", "units", int64(10_000_000)}, "FC0107", []string{"10000000", "at most 100000"}},
		{"horizon text", "FORECAST", args{"sold_on", "units", "a week"}, "FC0102", []string{"'a week'"}},
		{"horizon fraction", "FORECAST", args{"sold_on", "units", 2.5}, "FC0102", []string{"2.5"}},
		{"horizon NULL", "FORECAST", args{"sold_on", "units", nil}, "FC0102", []string{"NULL"}},
		{"time is value", "FORECAST", args{"sold_on", "Sold_On", 7}, "FC0105", nil},
		{"key is value", "FORECAST", args{"sold_on", "units", 7, "by=store,units"}, "FC0109", []string{"value column"}},
		{"key twice", "FORECAST", args{"sold_on", "units", 7, "by=store,STORE"}, "FC0109", nil},
		{"unknown option", "FORECAST", args{"sold_on", "units", 7, "modle=ets"}, "FC0110", []string{"did you mean 'model'?", "by, freq"}},
		{"synonym", "FORECAST", args{"sold_on", "units", 7, "confidence=0.9"}, "FC0110", []string{"did you mean 'level'?"}},
		{"another's option", "FORECAST_QUANTILES", args{"sold_on", "units", 7, "level=0.9"}, "FC0110", nil},
		{"option twice", "FORECAST", args{"sold_on", "units", 7, "by=store; BY=sku"}, "FC0112", []string{"'by'"}},
		{"option twice in JSON", "FORECAST", args{"sold_on", "units", 7, `{"by":"store","by":"sku"}`}, "FC0112", nil},
		{"no value", "FORECAST", args{"sold_on", "units", 7, "model="}, "FC0111", []string{"'model' has no value"}},
		{"no equals", "FORECAST", args{"sold_on", "units", 7, "model ets"}, "FC0113", []string{"no '='"}},
		{"comma for semicolon", "FORECAST", args{"sold_on", "units", 7, "by=store, model=ets"}, "FC0111", []string{"separate options by ';'"}},
		{"broken JSON", "FORECAST", args{"sold_on", "units", 7, `{"by":`}, "FC0113", []string{"JSON ends too early"}},
		{"options a number", "FORECAST", args{"sold_on", "units", 7, 9}, "FC0113", []string{"the number 9"}},
		{"wrong word", "FORECAST", args{"sold_on", "units", 7, "missing=zeros"}, "FC0111", []string{"did you mean missing=zero?"}},
		{"level 95", "FORECAST", args{"sold_on", "units", 7, "level=95"}, "FC0111", []string{"level=0.95"}},
		{"level percent", "FORECAST", args{"sold_on", "units", 7, "level=80%"}, "FC0111", []string{"level=0.8"}},
		{"level 1", "FORECAST", args{"sold_on", "units", 7, map[string]any{"level": 100.0}}, "FC0111", []string{"strictly between"}},
		{"unknown model", "FORECAST", args{"sold_on", "units", 7, "model=est"}, "FC0114", []string{"'ets'"}},
		{"bad orders", "FORECAST", args{"sold_on", "units", 7, "model=ets(Q,Q,Q)"}, "FC0114", []string{"write it as"}},
		{"gpu", "FORECAST", args{"sold_on", "units", 7, "device=gpu"}, "FC0115", []string{"no GPU"}},
		{"freq", "FORECAST", args{"sold_on", "units", 7, "freq=dayly"}, "FC0111", []string{"daily"}},
		{"freq of numbers", "FORECAST", args{"sold_on", "units", 7, "freq=3"}, "FC0111", []string{"without a unit"}},
		{"period", "FORECAST", args{"sold_on", "units", 7, "period=weekly"}, "FC0111", []string{"period=7"}},
		{"cutoff", "FORECAST", args{"sold_on", "units", 7, "cutoff=last year"}, "FC0111", []string{"2024-12-31"}},
		{"seed", "FORECAST", args{"sold_on", "units", 7, "seed=-1"}, "FC0111", nil},
		{"quantile", "FORECAST_QUANTILES", args{"sold_on", "units", 7, "q=0.5,90"}, "FC0111", []string{"q=0.9"}},
		{"history", "FORECAST", args{"sold_on", "units", 7, "history=some"}, "FC0111", []string{"history=all"}},
		{"column by placeholder", "FORECAST", args{functions.Unbound{}, "units", 7}, "FC0108", []string{"time_column"}},
	}
	e := bindEnv()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := functions.Bind(spec(test.fn), rel, test.args, e)
			wantError(t, err, test.code, append(test.want, strings.ToLower(test.fn)+": ")...)
			if !strings.Contains(err.Error(), "\nFix: ") || !strings.HasPrefix(err.Error(), test.code+" ") {
				t.Errorf("form of %q", err)
			}
		})
	}
}

func TestKeyNamedLikeOutput(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "Model", Type: arrow.BinaryTypes.String}, {Name: "day", Type: arrow.FixedWidthTypes.Date32}, {Name: "units", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
	rel := &relation{name: "table cars", schema: schema}
	e := bindEnv()
	_, err := functions.Bind(spec("FORECAST"), rel, []functions.Value{"day", "units", 3, "by=model"}, e)
	wantError(t, err, "FC0106", "column 'Model'", "Model AS Model_name")
}

func TestAmbiguousColumn(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "day", Type: arrow.FixedWidthTypes.Date32}, {Name: "n", Type: arrow.PrimitiveTypes.Int32}, {Name: "n", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
	e := bindEnv()
	_, err := functions.Bind(spec("FORECAST"), &relation{name: "the SELECT", schema: schema}, []functions.Value{"day", "n", 3}, e)
	wantError(t, err, "FC0104", "several columns")
}

func TestBindAccepts(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, nil)
	e := bindEnv()
	tests := map[string]functions.Value{
		"none":         nil,
		"empty":        "  ",
		"text":         "BY = store , sku ;Model=ETS(A,N,A); ",
		"json":         `{"by": ["store","sku"], "level": 0.8, "freq": null}`,
		"object":       map[string]any{"by": []any{"store", "sku"}, "level": 0.8, "history": int64(3)},
		"quotes":       "by=`store`,\"sku\"; missing='zero'",
		"qualified":    "by=sales.store",
		"true as word": map[string]any{"nonneg": "YES"},
	}
	for name, options := range tests {
		if _, err := functions.Bind(spec("FORECAST"), rel, []functions.Value{"SOLD_ON", "Units", "7", options}, e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := functions.Bind(spec("FORECAST"), rel, []functions.Value{"sold_on", "units", 7, "by=sku,store; period=365,7; level=0.8; cutoff=2023-06-30; history=all; model=ets"}, e)
	if err != nil {
		t.Fatal(err)
	}
	o := b.Options
	if o.Level != 0.8 || o.History != -1 || len(o.Periods) != 2 || o.Periods[0] != 7 || !o.CutoffGiven || o.Model != "ets" || b.Horizon != 7 {
		t.Errorf("options are %+v", o)
	}
	equalNames(t, b.Schema(), "sku", "store", "sold_on", "step", "row_type", "actual", "forecast", "lower_bound", "upper_bound", "level", "model", "status")
	if f := b.Schema().Field(1); !f.Equal(salesSchema.Field(0)) {
		t.Errorf("key field is %v, want the source's with its metadata", f)
	}
	if f := b.Schema().Field(2); !f.Equal(salesSchema.Field(2)) {
		t.Errorf("time field is %v, want the source's with its metadata", f)
	}
}

func TestProvisional(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, nil)
	e := bindEnv()
	b, err := functions.Bind(spec("FORECAST"), rel, []functions.Value{"sold_on", "units", functions.Unbound{}, functions.Unbound{}}, e)
	if err != nil {
		t.Fatal(err)
	}
	if !b.Provisional || b.Schema().NumFields() != 10 {
		t.Errorf("provisional %v, %d columns", b.Provisional, b.Schema().NumFields())
	}
	_, err = spec("FORECAST").Run(t.Context(), e, b)
	wantError(t, err, "FC0303")
	if _, err := functions.Bind(spec("FORECAST"), rel, []functions.Value{"sold_onn", "units", functions.Unbound{}}, e); err == nil {
		t.Error("a provisional call lets a misspelt column pass")
	}
}

func TestCodesAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	last := ""
	for _, c := range functions.Codes() {
		if seen[c.Number] || c.Number <= last || len(c.SQLState) != 5 || c.Meaning == "" {
			t.Errorf("code %+v", c)
		}
		seen[c.Number], last = true, c.Number
	}
}

// FuzzOptions holds that any options text binds or gives a *Error, without a panic.
func FuzzOptions(f *testing.F) {
	for _, seed := range []string{
		"by=store,sku; model=ets; level=0.8", `{"by":["store"],"level":0.8}`, "q=0.1,0.5", "by=`a;b`", "model=ets(A,Ad,M)", "period=7,365;freq=15min",
		"cutoff=2024-01-01", `{"a":{"b":[]}}`, "((", "=;=", "by=;", "level=95", "level=1e400", "\x00=\xff", `{"level":1e999}`, "freq=99999999999d", "history=-1",
	} {
		f.Add(seed)
	}
	rel := &relation{name: "table sales", schema: salesSchema}
	e := bindEnv()
	f.Fuzz(func(t *testing.T, options string) {
		for _, s := range functions.All() {
			args := []functions.Value{"sold_on", "units"}
			for range len(s.Args) - 2 {
				args = append(args, int64(3))
			}
			bound, err := functions.Bind(s, rel, append(args, options), e)
			var fault *functions.Error
			if err != nil && !errors.As(err, &fault) {
				t.Fatalf("%s(%q): %v is no *Error", s.Name, options, err)
			}
			if err == nil && bound.Schema() == nil {
				t.Fatalf("%s(%q): no schema", s.Name, options)
			}
		}
	})
}
