package catalog

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"

	"github.com/almanacdb/almanac/storage"
)

// Index is one key of a table: primary, unique or plain.
type Index struct {
	table   *Table
	key     storage.Key
	ordinal int // in the table's spec.Keys
	meta    indexMeta
}

var (
	_ sql.Index         = (*Index)(nil)
	_ sql.OrderedIndex  = (*Index)(nil)
	_ sql.FilteredIndex = (*Index)(nil)
)

// GetIndexes implements sql.IndexAddressable.
func (t *Table) GetIndexes(*sql.Context) ([]sql.Index, error) {
	indexes := make([]sql.Index, len(t.def.spec.Keys))
	for i, k := range t.def.spec.Keys {
		meta, _ := t.def.meta.index(k.Name)
		indexes[i] = &Index{table: t, key: k, ordinal: i, meta: meta}
	}
	return indexes, nil
}

// PreciseMatch implements sql.IndexAddressable: look-ups return exactly the rows in their ranges.
func (t *Table) PreciseMatch() bool { return true }

// ID implements sql.Index.
func (x *Index) ID() string { return x.key.Name }

// Database implements sql.Index.
func (x *Index) Database() string { return x.table.db.name }

// Table implements sql.Index.
func (x *Index) Table() string { return x.table.Name() }

// Expressions implements sql.Index.
func (x *Index) Expressions() []string {
	names := make([]string, len(x.key.Columns))
	for i, c := range x.key.Columns {
		names[i] = x.table.Name() + "." + x.table.schema[c].Name
	}
	return names
}

// ColumnExpressionTypes implements sql.Index.
func (x *Index) ColumnExpressionTypes(*sql.Context) []sql.ColumnExpressionType {
	types := make([]sql.ColumnExpressionType, len(x.key.Columns))
	for i, name := range x.Expressions() {
		types[i] = sql.ColumnExpressionType{Expression: name, Type: x.table.schema[x.key.Columns[i]].Type}
	}
	return types
}

// IsUnique implements sql.Index.
func (x *Index) IsUnique() bool { return x.key.Unique || x.key.Primary }

// IsSpatial implements sql.Index.
func (x *Index) IsSpatial() bool { return false }

// IsFullText implements sql.Index.
func (x *Index) IsFullText() bool { return false }

// IsVector implements sql.Index.
func (x *Index) IsVector() bool { return false }

// Comment implements sql.Index.
func (x *Index) Comment() string { return x.meta.Comment }

// IndexType implements sql.Index.
func (x *Index) IndexType() string { return "BTREE" }

// IsGenerated implements sql.Index.
func (x *Index) IsGenerated() bool { return false }

// CanSupport implements sql.Index.
func (x *Index) CanSupport(*sql.Context, ...sql.Range) bool { return true }

// CanSupportOrderBy implements sql.Index.
func (x *Index) CanSupportOrderBy(sql.Expression) bool { return false }

// PrefixLengths implements sql.Index.
func (x *Index) PrefixLengths() []uint16 { return x.meta.Prefix }

// Order implements sql.OrderedIndex: the storage returns rows in the order of the primary key only.
func (x *Index) Order(*sql.Context) sql.IndexOrder {
	if x.key.Primary {
		return sql.IndexOrderAsc
	}
	return sql.IndexOrderNone
}

// Reversible implements sql.OrderedIndex.
func (x *Index) Reversible(*sql.Context) bool { return false }

// HandledFilters implements sql.FilteredIndex: comparisons that the ranges express exactly need not be checked again.
func (x *Index) HandledFilters(ctx *sql.Context, filters []sql.Expression) []sql.Expression {
	if len(x.meta.Prefix) > 0 {
		return nil
	}
	var handled []sql.Expression
	for _, f := range filters {
		if expression.PreciseComparison(ctx, f) {
			handled = append(handled, f)
		}
	}
	return handled
}
