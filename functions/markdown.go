package functions

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/engine"
)

// Markdown writes the reference manual, docs/functions.md, from the Specs, the models and the error codes.
func Markdown(specs []*Spec, models []engine.ModelSpec) string {
	var b strings.Builder
	b.WriteString(`# Table functions

<!-- Written from the declarations in the functions package: edit those, then run go generate ./functions -->

Every function has the shape ` + "`NAME(source, time_column, value_column [, required…] [, options])`" + ` and stands in FROM.

- **source** is the name of a table or view (` + "`'sales'`, `'shop.sales'`" + `), a SELECT as text, or a sub-query in parentheses.
- **time_column** is a DATE, DATETIME, TIMESTAMP or whole-number column, **value_column** a numeric one; both are written in quotes.
- **options** are one text, ` + "`'by=store,sku; model=ets; level=0.8'`" + `, or JSON text or ` + "`JSON_OBJECT(…)`" + ` with the same keys. Keys and
  words may be in any case. A column name with a comma, a semicolon or a blank goes in backticks.
- Key columns (option ` + "`by`" + `) come first, then the time column, with the names and types that they have in the source. Rows are ordered by key, then time.
- A row whose time is NULL cannot be placed: it is an error that says how many there are. A NULL value is unknown, never zero.
- The same data, arguments and seed give the same bits, whatever the number of cores.

`)
	b.WriteString("| function | what it gives |\n| --- | --- |\n")
	for _, s := range specs {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", s.Name, strings.ToLower(s.Name), s.Summary)
	}
	shared := sharedOptions()
	b.WriteString("\n## Options shared by all functions\n\n")
	optionTable(&b, shared)
	for _, s := range specs {
		function(&b, s, shared)
	}
	modelTable(&b, models)
	b.WriteString("\n## Errors\n\nA message reads `code function: what is wrong and why`, and on a second line `Fix:` with the remedy. Codes do not change.\n\n| code | SQLSTATE | meaning |\n| --- | --- | --- |\n")
	for _, c := range Codes() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Number, c.SQLState, c.Meaning)
	}
	return b.String()
}

func function(b *strings.Builder, s *Spec, shared []Option) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n```sql\n%s\n```\n\n", s.Name, s.Summary, s.signature())
	b.WriteString(strings.TrimSpace(s.Doc) + "\n\n")
	b.WriteString("| argument | meaning |\n| --- | --- |\n| source | the rows: a table, a view or a SELECT |\n")
	for _, a := range s.Args {
		fmt.Fprintf(b, "| %s | %s |\n", a.Name, cell(a.Doc))
	}
	b.WriteString("\n")
	isShared := make(map[string]bool)
	for _, o := range shared {
		isShared[o.Name] = true
	}
	var own []Option
	for _, o := range s.Options {
		if !isShared[o.Name] {
			own = append(own, o)
		}
	}
	if len(own) > 0 {
		optionTable(b, own)
		b.WriteString("\n")
	}
	var leading []string
	if !s.noKeys {
		leading = append(leading, "the key columns")
	}
	if s.timeColumn {
		leading = append(leading, "the time column")
	}
	b.WriteString("| column | type | meaning |\n| --- | --- | --- |\n")
	if len(leading) > 0 {
		fmt.Fprintf(b, "| *%s* | as in the source | |\n", strings.Join(leading, ", "))
	}
	for _, c := range s.columns {
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.Name, sqlType(c.Type), cell(c.Doc))
	}
	for _, e := range s.Examples {
		fmt.Fprintf(b, "\n%s:\n\n```sql\n%s\n```\n", e.Title, e.SQL)
		if e.Output != "" {
			fmt.Fprintf(b, "\n```\n%s\n```\n", strings.TrimRight(e.Output, "\n"))
		}
	}
}

func optionTable(b *strings.Builder, options []Option) {
	b.WriteString("| option | values | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, o := range options {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", o.Name, cell(o.Values), cell(o.Default), cell(o.Doc))
	}
}

func modelTable(b *strings.Builder, models []engine.ModelSpec) {
	b.WriteString("\n## Models\n\nWhat option `model` takes. The column `model` of a result names the fitted form, which `model` takes back to fix it.\n\n")
	b.WriteString("| model | what it is | fixed forms | seasonal | missing values |\n| --- | --- | --- | --- | --- |\n")
	yes := map[bool]string{true: "yes", false: "no"}
	for _, m := range models {
		syntax := ""
		if m.Syntax != "" {
			syntax = "`" + cell(m.Syntax) + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", m.Name, cell(m.Doc), syntax, yes[m.Caps.Seasonal], yes[m.Caps.Missing])
	}
	b.WriteString("\nSources:\n\n")
	for _, m := range models {
		if len(m.References) > 0 {
			fmt.Fprintf(b, "- %s: %s\n", m.Name, strings.Join(m.References, "; "))
		}
	}
}

// cell keeps text within a table's cell.
func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ")
}

func sqlType(t arrow.DataType) string {
	switch t.ID() {
	case arrow.INT64:
		return "BIGINT"
	case arrow.FLOAT64:
		return "DOUBLE"
	case arrow.STRING:
		return "TEXT"
	case arrow.INT8:
		return "BOOLEAN"
	}
	return t.String()
}
