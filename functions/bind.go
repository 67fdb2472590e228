package functions

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/engine"
)

// All lists the table functions in the order of the documentation.
func All() []*Spec {
	all := []*Spec{
		forecastSpec(), forecastQuantilesSpec(), decomposeSpec(), clusterTrendsSpec(), clusterProfilesSpec(),
	}
	for _, s := range all {
		for i := range s.Examples {
			s.Examples[i].Output = exampleOutput(s.ExampleFile(i))
		}
	}
	return all
}

// Bind checks the arguments of a call against the source's columns and reads the options. args are those behind the source.
// It reads no data. Every error is a *Error. See the package comment for the values and for Unbound.
func Bind(spec *Spec, rel Relation, args []Value, env *Env) (*Bound, error) {
	c := &call{env: env, bound: &Bound{Spec: spec, Relation: rel, Options: defaultOptions()}}
	if err := c.countArguments(len(args)); err != nil {
		return nil, err
	}
	for i, arg := range spec.Args {
		if err := c.bindArgument(arg, args[i]); err != nil {
			return nil, err
		}
	}
	var options Value
	if len(args) > len(spec.Args) {
		options = args[len(spec.Args)]
	}
	if err := c.bindOptions(options); err != nil {
		return nil, err
	}
	if err := c.checkColumns(); err != nil {
		return nil, err
	}
	if err := c.bindModel(); err != nil {
		return nil, err
	}
	if spec.check != nil && !c.bound.Provisional {
		if err := spec.check(c); err != nil {
			return nil, c.complete(err)
		}
	}
	schema, err := spec.Output(c.bound)
	if err != nil {
		return nil, err
	}
	c.bound.schema = schema
	return c.bound, nil
}

// call is a Bound in the making.
type call struct {
	env   *Env
	bound *Bound
}

func (c *call) fault(code Code, fix, format string, args ...any) *Error {
	return fault(code, c.bound.Spec.Name, fix, format, args...)
}

// complete turns a badValue into an Error of this call.
func (c *call) complete(err error) error {
	if bad := (*badValue)(nil); errors.As(err, &bad) {
		return c.fault(bad.code, bad.fix, "%s", bad.what)
	}
	return err
}

// signature shows the call as a template for messages.
func (s *Spec) signature() string {
	parts := []string{"source"}
	for _, a := range s.Args {
		parts = append(parts, a.Name)
	}
	return s.Name + "(" + strings.Join(parts, ", ") + " [, options])"
}

func (c *call) countArguments(n int) error {
	spec := c.bound.Spec
	least, most := len(spec.Args), len(spec.Args)+1
	if n >= least && n <= most {
		return nil
	}
	what := "too many"
	if n < least {
		what = "no " + spec.Args[n].Name
	}
	return c.fault(codeArguments, "write "+spec.signature()+", for example "+spec.firstCall()+".",
		"the call has %s arguments; %s takes %d or %d, source included", strings.TrimSuffix(fmt.Sprintf("%d (%s)", n+1, what), " ()"), spec.Name, least+1, most+1)
}

// firstCall is the function call in the first example.
func (s *Spec) firstCall() string {
	if len(s.Examples) == 0 {
		return s.signature()
	}
	sql := s.Examples[0].SQL
	start := strings.Index(sql, s.Name+"(")
	if start < 0 {
		return sql
	}
	if end := strings.Index(sql[start:], ")"); end > 0 {
		return sql[start : start+end+1]
	}
	return sql[start:]
}

func (c *call) bindArgument(arg Arg, v Value) (err error) {
	b := c.bound
	if _, isUnbound := v.(Unbound); isUnbound {
		if arg.Kind == TimeColumn || arg.Kind == ValueColumn {
			return c.fault(codeLiteral, "write the column's name in the statement, in quotes; placeholders serve for horizon, k and options.",
				"%s is a placeholder, but it fixes the columns of the result", arg.Name)
		}
		b.Provisional = true
		return nil
	}
	switch arg.Kind {
	case TimeColumn:
		if b.Time, err = c.columnArgument(arg, v); err != nil {
			return err
		}
		return c.checkTimeType()
	case ValueColumn:
		if b.Value, err = c.columnArgument(arg, v); err != nil {
			return err
		}
		return c.checkValueType()
	case Horizon:
		b.Horizon, err = c.countArgument(arg, v, MaxHorizon, "the number of steps to forecast")
		return err
	case Clusters:
		if text, isText := v.(string); isText {
			if strings.EqualFold(strings.TrimSpace(text), "auto") {
				return nil
			}
			if _, err := strconv.Atoi(strings.TrimSpace(text)); err != nil {
				return c.fault(codeArgumentType, "give a whole number such as 6, or 'auto'.", "%s is the text '%s'", arg.Name, text)
			}
		}
		b.Clusters, err = c.countArgument(arg, v, maxClusters, "the number of clusters")
		return err
	}
	return nil
}

// maxClusters bounds k; more clusters than this are no summary.
const maxClusters = 1000

func (c *call) countArgument(arg Arg, v Value, most int, meaning string) (int, error) {
	n, isWhole := wholeNumber(v)
	if text, isText := v.(string); isText {
		if parsed, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			n, isWhole = parsed, true
		} else if strings.Contains(text, "=") {
			return 0, c.fault(codeArguments, "write "+c.bound.Spec.signature()+".", "%s, %s, is missing: the text '%s' stands in its place", arg.Name, meaning, text)
		}
	}
	switch {
	case !isWhole:
		return 0, c.fault(codeArgumentType, "give a whole number such as 28.", "%s, %s, is %s, not a whole number", arg.Name, meaning, describeValue(v))
	case n == 0:
		return 0, c.fault(codeRange, fmt.Sprintf("give a whole number from 1 to %d.", most), "%s is 0, so there is nothing to compute", arg.Name)
	case n < 0:
		return 0, c.fault(codeRange, fmt.Sprintf("give a whole number from 1 to %d.", most), "%s is %d; it cannot be negative", arg.Name, n)
	case n > int64(most):
		fix := fmt.Sprintf("give a whole number from 1 to %d.", most)
		if arg.Kind == Horizon {
			fix = fmt.Sprintf("give a whole number from 1 to %d, or aggregate to a coarser frequency first (a forecast far beyond the length of its history says nothing).", most)
		}
		return 0, c.fault(codeRange, fix, "%s is %d; at most %d are computed", arg.Name, n, most)
	}
	return int(n), nil
}

func (c *call) columnArgument(arg Arg, v Value) (Column, error) {
	name, isText := v.(string)
	if !isText {
		return Column{}, c.fault(codeArgumentType, fmt.Sprintf("write the name of a column of %s in quotes, such as '%s'.", c.source(), c.exampleColumn(arg)),
			"%s is %s, not the name of a column", arg.Name, describeValue(v))
	}
	col, err := c.column(name, arg.Name)
	return col, c.complete(err)
}

// exampleColumn is a column that could serve as arg.
func (c *call) exampleColumn(arg Arg) string {
	fields := c.bound.Relation.Schema().Fields()
	for _, f := range fields {
		if arg.Kind == TimeColumn && isTime(f.Type) || arg.Kind == ValueColumn && isNumeric(f.Type) {
			return f.Name
		}
	}
	if len(fields) > 0 {
		return fields[0].Name
	}
	return arg.Name
}

// source names the relation in messages.
func (c *call) source() string { return c.bound.Relation.Name() }

func (c *call) columnNames() []string {
	fields := c.bound.Relation.Schema().Fields()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

var (
	errNoColumn  = errors.New("no such column")
	errAmbiguous = errors.New("ambiguous column")
)

// findColumn looks a name up: exactly first, then without regard to case.
func (c *call) findColumn(name string) (Column, error) {
	fields := c.bound.Relation.Schema().Fields()
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		found := -1
		for i, f := range fields {
			if !same(f.Name, name) {
				continue
			}
			if found >= 0 {
				return Column{}, errAmbiguous
			}
			found = i
		}
		if found >= 0 {
			return Column{Index: found, Field: fields[found]}, nil
		}
	}
	return Column{}, errNoColumn
}

// column looks up the column that the argument or option role names.
func (c *call) column(name, role string) (Column, error) {
	name = unquote(name)
	col, err := c.findColumn(name)
	if errors.Is(err, errNoColumn) {
		if _, bare, qualified := strings.Cut(name, "."); qualified { // table.column
			if col, bareErr := c.findColumn(unquote(bare)); bareErr == nil {
				return col, nil
			}
		}
	}
	switch {
	case errors.Is(err, errAmbiguous):
		return col, &badValue{codeAmbiguous, fmt.Sprintf("%s '%s' is the name of several columns of %s", role, name, c.source()), "give the columns different names with AS in the SELECT."}
	case err != nil:
		names := c.columnNames()
		fix := "the columns are " + enumerate(names) + "."
		if near := nearest(name, names); len(near) > 0 {
			fix = "did you mean " + quoteList(near, " or ") + "? The columns are " + enumerate(names) + "."
		}
		return col, &badValue{codeNoColumn, fmt.Sprintf("%s '%s' is no column of %s", role, name, c.source()), fix}
	}
	return col, nil
}

const dateType = arrow.DATE32

func isInteger(t arrow.DataType) bool { return arrow.IsInteger(t.ID()) }

func isTime(t arrow.DataType) bool {
	return t.ID() == dateType || t.ID() == arrow.TIMESTAMP || isInteger(t)
}

func isNumeric(t arrow.DataType) bool {
	return isInteger(t) || arrow.IsFloating(t.ID()) || arrow.IsDecimal(t.ID())
}

func isText(t arrow.DataType) bool {
	return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING || t.ID() == arrow.DICTIONARY
}

// kindOf describes a column's type in words.
func kindOf(t arrow.DataType) string {
	switch {
	case isText(t):
		return "text"
	case t.ID() == dateType:
		return "dates"
	case t.ID() == arrow.TIMESTAMP:
		return "dates and times"
	case isInteger(t):
		return "whole numbers"
	case isNumeric(t):
		return "numbers with a fraction"
	case t.ID() == arrow.DURATION:
		return "times of day"
	case t.ID() == arrow.BINARY || t.ID() == arrow.LARGE_BINARY:
		return "binary data"
	}
	return t.String()
}

func (c *call) checkTimeType() error {
	col := c.bound.Time
	if isTime(col.Field.Type) {
		return nil
	}
	fix := "name a DATE, DATETIME, TIMESTAMP or whole-number column"
	var good []string
	for _, f := range c.bound.Relation.Schema().Fields() {
		if f.Type.ID() == dateType || f.Type.ID() == arrow.TIMESTAMP {
			good = append(good, f.Name)
		}
	}
	switch {
	case len(good) > 0:
		fix += ", such as " + quoteList(good[:min(3, len(good))], " or ")
	case isText(col.Field.Type):
		fix += fmt.Sprintf("; convert the text in a SELECT as the source: '(SELECT CAST(%s AS DATE) AS day, … FROM …)'", col.Field.Name)
	}
	return c.fault(codeColumnType, fix+".", "time column '%s' of %s holds %s", col.Field.Name, c.source(), kindOf(col.Field.Type))
}

func (c *call) checkValueType() error {
	col := c.bound.Value
	if isNumeric(col.Field.Type) && col.Field.Type.ID() != arrow.FLOAT16 {
		return nil
	}
	fix := "name a numeric column"
	var good []string
	for _, f := range c.bound.Relation.Schema().Fields() {
		if isNumeric(f.Type) && f.Name != c.bound.Time.Field.Name {
			good = append(good, f.Name)
		}
	}
	if len(good) > 0 {
		fix += ", such as " + quoteList(good[:min(3, len(good))], " or ")
	} else {
		fix += fmt.Sprintf(", or convert it in a SELECT as the source: CAST(%s AS DOUBLE)", col.Field.Name)
	}
	return c.fault(codeColumnType, fix+".", "value column '%s' of %s holds %s, not numbers", col.Field.Name, c.source(), kindOf(col.Field.Type))
}

// option finds an option of the function by its key.
func (c *call) option(key string) *Option {
	for i := range c.bound.Spec.Options {
		if c.bound.Spec.Options[i].Name == key {
			return &c.bound.Spec.Options[i]
		}
	}
	return nil
}

func (c *call) bindOptions(v Value) error {
	if _, isUnbound := v.(Unbound); isUnbound {
		c.bound.Provisional = true
		return nil
	}
	settings, err := parseOptions(v)
	switch {
	case errors.Is(err, errOptionTwice):
		return c.fault(codeOptionTwice, "keep one of them; a list goes behind one key, as in by=store,sku.", "%v", err)
	case err != nil:
		return c.fault(codeOptionSyntax, "write options as one text, such as 'by=store; model=ets', or as JSON with the same keys.", "the options are not understood: %v", err)
	}
	for _, s := range settings {
		o := c.option(s.key)
		if o == nil {
			return c.unknownOption(s.key)
		}
		if s.text == "" && len(s.items) == 0 {
			return c.fault(codeOptionValue, fmt.Sprintf("leave it out, or write %s.", o.Values), "option '%s' has no value", s.key)
		}
		if err := o.set(c, s); err != nil {
			return c.complete(err)
		}
	}
	return nil
}

func (c *call) unknownOption(key string) error {
	var names []string
	for _, o := range c.bound.Spec.Options {
		names = append(names, o.Name)
	}
	fix := "the options are " + enumerate(names) + "."
	if near := nearest(key, names); len(near) > 0 {
		fix = "did you mean " + quoteList(near, " or ") + "? The options are " + enumerate(names) + "."
	} else if synonym := optionSynonyms[key]; synonym != "" && slices.Contains(names, synonym) {
		fix = "did you mean '" + synonym + "'? The options are " + enumerate(names) + "."
	}
	return c.fault(codeNoOption, fix, "there is no option '%s'", key)
}

// optionSynonyms are what users of other systems write for our options.
var optionSynonyms = map[string]string{
	"group": "by", "group_by": "by", "partition_by": "by", "keys": "by", "id": "by", "confidence": "level", "confidence_level": "level", "coverage": "level",
	"alpha": "level", "interval": "level", "quantiles": "q", "probs": "q", "seasonality": "period", "season_length": "period", "frequency": "freq",
	"algorithm": "model", "method": "model", "fill": "missing", "gaps": "missing", "metric": "distance", "errors": "on_error", "random_state": "seed", "until": "cutoff",
}

// checkColumns refuses a column in two roles and a key or time column named like an output column.
func (c *call) checkColumns() error {
	b := c.bound
	if b.Time.Index == b.Value.Index {
		return c.fault(codeColumnTwice, "name the column with the times first, then the one with the values.", "column '%s' is both time and value", b.Time.Field.Name)
	}
	for _, k := range b.Keys {
		role := ""
		switch k.Index {
		case b.Time.Index:
			role = "time"
		case b.Value.Index:
			role = "value"
		default:
			continue
		}
		return c.fault(codeColumnTwice, "leave it out of by.", "option 'by' names '%s', which is the %s column", k.Field.Name, role)
	}
	leading := make([]Column, 0, len(b.Keys)+1)
	if !b.Spec.noKeys {
		leading = append(leading, b.Keys...)
	}
	if b.Spec.timeColumn {
		leading = append(leading, b.Time)
	}
	for _, out := range b.Spec.columns {
		for _, col := range leading {
			if strings.EqualFold(col.Field.Name, out.Name) {
				return c.fault(codeKeyClash, fmt.Sprintf("rename it in a SELECT as the source, such as '(SELECT %s AS %s_name, … FROM %s)', and use the new name.", col.Field.Name, col.Field.Name, c.source()),
					"column '%s' of %s has the name of an output column of %s", col.Field.Name, c.source(), b.Spec.Name)
			}
		}
	}
	return nil
}

// bindModel looks up the model that option model names, where the function takes one.
func (c *call) bindModel() error {
	if c.option("model") == nil {
		return nil
	}
	bound, err := findModel(c.bound.Options.Model, c.env.Models)
	if err != nil {
		return c.complete(err)
	}
	c.bound.model = bound
	return nil
}

// findModel splits the text of a model into its name and the orders behind it, and builds it.
func findModel(text string, specs []engine.ModelSpec) (boundModel, error) {
	text = strings.TrimSpace(text)
	end := strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
	if end < 0 {
		end = len(text)
	}
	name, rest := strings.ToLower(text[:end]), strings.TrimSpace(text[end:])
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	if strings.HasPrefix(rest, ",") {
		return boundModel{}, &badValue{codeNoModel, fmt.Sprintf("option 'model' is '%s', a list; one call uses one model", text), "name one model, or model=auto to choose among them for each series."}
	}
	for _, s := range specs {
		if s.Name != name {
			continue
		}
		model, err := s.New(rest)
		if err != nil {
			fix := "write model=" + s.Name + "."
			if s.Syntax != "" {
				fix = "write it as " + s.Syntax + "."
			}
			return boundModel{}, &badValue{codeNoModel, fmt.Sprintf("option 'model' is '%s': %v", text, err), fix}
		}
		return boundModel{text: text, model: model, spec: s}, nil
	}
	fix := "the models are " + enumerate(names) + "."
	if near := nearest(name, names); len(near) > 0 {
		fix = "did you mean " + quoteList(near, " or ") + "? The models are " + enumerate(names) + "."
	}
	return boundModel{}, &badValue{codeNoModel, fmt.Sprintf("there is no model '%s'", text), fix}
}
