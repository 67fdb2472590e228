package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// tableMeta is what the storage keeps for us with a table, as JSON: all of its SQL definition that Arrow fields and
// storage keys do not say. Expressions are kept as SQL text and resolved by the engine when the table is used.
type tableMeta struct {
	Collation string       `json:"collation,omitempty"`
	Comment   string       `json:"comment,omitempty"`
	Columns   []columnMeta `json:"columns"`
	Indexes   []indexMeta  `json:"indexes,omitempty"` // of keys that need more than their storage.Key
	Checks    []checkMeta  `json:"checks,omitempty"`
}

type columnMeta struct {
	Default   *string `json:"default,omitempty"`
	Generated *string `json:"generated,omitempty"`
	OnUpdate  *string `json:"on_update,omitempty"`
	Comment   string  `json:"comment,omitempty"`
	Extra     string  `json:"extra,omitempty"`
	Hidden    bool    `json:"hidden,omitempty"`
}

type indexMeta struct {
	Name    string   `json:"name"`
	Comment string   `json:"comment,omitempty"`
	Prefix  []uint16 `json:"prefix,omitempty"` // lengths, 0 = the whole column
}

type checkMeta struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
	Enforced   bool   `json:"enforced"`
}

func (m *tableMeta) index(name string) (indexMeta, bool) {
	for _, i := range m.Indexes {
		if strings.EqualFold(i.Name, name) {
			return i, true
		}
	}
	return indexMeta{}, false
}

// A definition is a table's definition in both languages. It is immutable.
type definition struct {
	spec   storage.TableSpec
	meta   tableMeta
	schema sql.Schema // Source set; copied before it is handed out
	pk     []int      // ordinals of the primary key's columns in key order, empty without one
	keys   []uniqueKey
}

// uniqueKey is one unique key, the primary one first.
type uniqueKey struct {
	ordinal int // in spec.Keys
	columns []int
	primary bool
}

// checkColumn refuses what cannot be stored.
func checkColumn(col *sql.Column) error {
	_, err := sqltype.FieldOf(col)
	if err != nil {
		return unsupported("%v", err)
	}
	if col.HiddenSystem {
		return unsupported("an index over an expression.\nFix: add a generated column and index that")
	}
	return nil
}

// newDefinition builds the definition of a table from the engine's schema. meta gives collation, comment, indexes and
// checks; its columns are filled in here. keys are the keys besides the primary one, by ordinals in schema.
//
// A VIRTUAL generated column is computed when the row is written, like a STORED one: the expression may only use the
// row itself and deterministic functions, so that the value is the same.
func newDefinition(database, name string, schema sql.PrimaryKeySchema, meta tableMeta, keys ...storage.Key) (*definition, error) {
	fields := make([]arrow.Field, len(schema.Schema))
	meta.Columns = make([]columnMeta, len(schema.Schema))
	auto := -1
	for i, col := range schema.Schema {
		if err := checkColumn(col); err != nil {
			return nil, err
		}
		f, err := sqltype.FieldOf(col)
		if err != nil {
			return nil, err
		}
		fields[i] = f
		meta.Columns[i] = columnMeta{
			Default: expressionText(col.Default), Generated: expressionText(col.Generated), OnUpdate: expressionText(col.OnUpdate),
			Comment: col.Comment, Extra: col.Extra, Hidden: col.Hidden,
		}
		if col.AutoIncrement {
			auto = i
		}
	}
	var pk []int
	for _, o := range schema.PkOrdinals {
		if o >= 0 && o < len(fields) {
			pk = append(pk, o)
			fields[o].Nullable = false
		}
	}
	var all []storage.Key
	if len(pk) > 0 {
		all = append(all, storage.Key{Name: "PRIMARY", Columns: pk, Unique: true, Primary: true})
	}
	for _, k := range keys {
		if !k.Primary {
			all = append(all, k)
		}
	}
	return encodeDefinition(storage.TableSpec{
		Database: database, Name: name, Schema: arrow.NewSchema(fields, nil), Keys: all, AutoIncrement: auto,
	}, meta)
}

// encodeDefinition is a definition from its stored parts, with meta serialised into the spec.
func encodeDefinition(spec storage.TableSpec, meta tableMeta) (*definition, error) {
	data, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	spec.Meta = data
	return parseDefinition(spec)
}

func parseDefinition(spec storage.TableSpec) (*definition, error) {
	d := &definition{spec: spec}
	if len(spec.Meta) > 0 {
		if err := json.Unmarshal(spec.Meta, &d.meta); err != nil {
			return nil, fmt.Errorf("definition of table %s.%s: %w", spec.Database, spec.Name, err)
		}
	}
	d.schema = make(sql.Schema, spec.Schema.NumFields())
	for i, f := range spec.Schema.Fields() {
		col, err := sqltype.ColumnOf(f)
		if err != nil {
			return nil, fmt.Errorf("table %s.%s: %w", spec.Database, spec.Name, err)
		}
		col.Source, col.DatabaseSource = spec.Name, spec.Database
		col.AutoIncrement = i == spec.AutoIncrement
		if i < len(d.meta.Columns) { // a table made below SQL has no meta
			m := d.meta.Columns[i]
			col.Default, col.Generated, col.OnUpdate = expressionOf(m.Default), expressionOf(m.Generated), expressionOf(m.OnUpdate)
			col.Comment, col.Extra, col.Hidden = m.Comment, m.Extra, m.Hidden
		}
		if col.AutoIncrement {
			col.Extra = "auto_increment"
		}
		d.schema[i] = col
	}
	for i, k := range spec.Keys {
		if k.Primary {
			d.pk = k.Columns
			for _, c := range k.Columns {
				d.schema[c].PrimaryKey = true
				d.schema[c].Nullable = false
			}
		}
		if k.Unique || k.Primary {
			d.keys = append(d.keys, uniqueKey{ordinal: i, columns: k.Columns, primary: k.Primary})
		}
	}
	return d, nil
}

func expressionText(e *sql.ColumnDefaultValue) *string {
	if e == nil {
		return nil
	}
	s := e.String()
	if u, ok := e.Expr.(*sql.UnresolvedColumnDefault); ok {
		s = u.ExprString // as we gave it; String would put parentheses around it
	}
	return &s
}

func expressionOf(text *string) *sql.ColumnDefaultValue {
	if text == nil {
		return nil
	}
	return sql.NewUnresolvedColumnDefaultValue(*text)
}

// definitionCache keeps parsed definitions by the identity of the stored spec, whose slices are never modified.
type definitionCache struct {
	mu sync.Mutex
	m  map[definitionKey]*definition
}

type definitionKey struct {
	database, name string
	schema         *arrow.Schema
	meta           *byte
	keys           *storage.Key
}

// definitionCacheSize bounds the cache; beyond it everything is parsed anew.
const definitionCacheSize = 4096

func (c *definitionCache) get(spec storage.TableSpec) (*definition, error) {
	key := definitionKey{database: spec.Database, name: spec.Name, schema: spec.Schema}
	if len(spec.Meta) > 0 {
		key.meta = &spec.Meta[0]
	}
	if len(spec.Keys) > 0 {
		key.keys = &spec.Keys[0]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.m[key]; ok {
		return d, nil
	}
	d, err := parseDefinition(spec)
	if err != nil {
		return nil, err
	}
	if c.m == nil || len(c.m) >= definitionCacheSize {
		c.m = map[definitionKey]*definition{}
	}
	c.m[key] = d
	return d, nil
}
