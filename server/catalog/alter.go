package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// change stores a new definition whose rows stay as they are, and makes it this value's.
func (t *Table) change(ctx *sql.Context, def *definition) error {
	err := t.db.pro.alter(ctx, func(txn *storage.Txn) error {
		return t.explain(def, txn.AlterTable(t.db.name, t.Name(), def.spec, nil))
	})
	if err == nil {
		t.def, t.schema = def, def.schema.Copy()
	}
	return err
}

// explain translates the storage's errors about a new definition.
func (t *Table) explain(def *definition, err error) error {
	var dup *storage.DuplicateKeyError
	if !errors.As(err, &dup) {
		return err
	}
	parts := make([]string, len(dup.Values))
	for i, v := range dup.Values {
		switch v := v.(type) {
		case arrow.Date32:
			parts[i] = v.FormattedString()
		case arrow.Timestamp:
			parts[i] = v.ToTime(arrow.Microsecond).Format(sql.TimestampDatetimeLayout)
		case decimal128.Num:
			parts[i] = v.ToString(def.scaleIn(dup.Key, i))
		case decimal256.Num:
			parts[i] = v.ToString(def.scaleIn(dup.Key, i))
		case []byte:
			parts[i] = string(v)
		default:
			parts[i] = fmt.Sprint(v)
		}
	}
	return duplicateEntry(parts, def, dup.Key, nil)
}

// scaleIn is the number of decimals of the i-th column of a key.
func (d *definition) scaleIn(key string, i int) int32 {
	for _, k := range d.spec.Keys {
		if k.Name == key && i < len(k.Columns) {
			if t, ok := d.spec.Schema.Field(k.Columns[i]).Type.(arrow.DecimalType); ok {
				return t.GetScale()
			}
		}
	}
	return 0
}

// redefined is the table's definition with another schema. renames maps lower-case old column names to new ones; keys
// lose columns that are gone, and go when none is left.
func (t *Table) redefined(schema sql.PrimaryKeySchema, renames map[string]string) (*definition, error) {
	meta := t.def.meta
	meta.Indexes = append([]indexMeta(nil), meta.Indexes...)
	var keys []storage.Key
	for _, k := range t.def.spec.Keys {
		if k.Primary {
			continue
		}
		kept := k
		kept.Columns = nil
		for _, c := range k.Columns {
			name := t.def.schema[c].Name
			if to, ok := renames[strings.ToLower(name)]; ok {
				name = to
			}
			if i := schema.Schema.IndexOfColName(name); i >= 0 {
				kept.Columns = append(kept.Columns, i)
			}
		}
		if len(kept.Columns) > 0 {
			keys = append(keys, kept)
		}
	}
	return newDefinition(t.db.name, t.Name(), schema, meta, keys...)
}

// ShouldRewriteTable implements sql.RewritableTable: rows are rewritten when a column's physical type or place changes,
// or the primary key does. Adding a nullable column and dropping one are done column-wise by AddColumn and DropColumn.
func (t *Table) ShouldRewriteTable(_ *sql.Context, oldSchema, newSchema sql.PrimaryKeySchema, oldColumn, newColumn *sql.Column) bool {
	if len(oldSchema.PkOrdinals) != len(newSchema.PkOrdinals) {
		return true
	}
	if oldColumn == nil || newColumn == nil {
		return false
	}
	if oldSchema.Schema.IndexOfColName(oldColumn.Name) != newSchema.Schema.IndexOfColName(newColumn.Name) {
		return true
	}
	if newColumn.AutoIncrement && !oldColumn.AutoIncrement {
		return true
	}
	from, err := sqltype.FieldOf(oldColumn)
	if err != nil {
		return true
	}
	to, err := sqltype.FieldOf(newColumn)
	if err != nil {
		return true
	}
	return sqltype.TypeName(oldColumn.Type) != sqltype.TypeName(newColumn.Type) || !arrow.TypeEqual(from.Type, to.Type)
}

// AddColumn implements sql.AlterableTable, for a column that is NULL in all rows; others are rewritten row by row.
func (t *Table) AddColumn(ctx *sql.Context, column *sql.Column, order *sql.ColumnOrder) error {
	at, err := t.place(order, len(t.schema))
	if err != nil {
		return err
	}
	added := column.Copy()
	added.Source, added.DatabaseSource = t.Name(), t.db.name
	schema := make(sql.Schema, 0, len(t.schema)+1)
	schema = append(append(append(schema, t.schema[:at]...), added), t.schema[at:]...)
	def, err := t.redefined(sql.PrimaryKeySchema{Schema: schema, PkOrdinals: t.pkIn(schema, nil)}, nil)
	if err != nil {
		return err
	}
	columns := make([]int, 0, len(schema))
	for i := range t.schema {
		if i == at {
			columns = append(columns, -1)
		}
		columns = append(columns, i)
	}
	if at == len(t.schema) {
		columns = append(columns, -1)
	}
	return t.recolumn(ctx, def, columns)
}

// DropColumn implements sql.AlterableTable.
func (t *Table) DropColumn(ctx *sql.Context, name string) error {
	at := t.columnIndex(name)
	if at < 0 {
		return sql.ErrTableColumnNotFound.New(t.Name(), name)
	}
	schema := append(append(sql.Schema{}, t.schema[:at]...), t.schema[at+1:]...)
	def, err := t.redefined(sql.PrimaryKeySchema{Schema: schema, PkOrdinals: t.pkIn(schema, nil)}, nil)
	if err != nil {
		return err
	}
	var columns []int
	for i := range t.schema {
		if i != at {
			columns = append(columns, i)
		}
	}
	return t.recolumn(ctx, def, columns)
}

// ModifyColumn implements sql.AlterableTable, for changes that leave the values as they are: the name, the default, the
// comment, NOT NULL to NULL.
func (t *Table) ModifyColumn(ctx *sql.Context, name string, column *sql.Column, _ *sql.ColumnOrder) error {
	at := t.columnIndex(name)
	if at < 0 {
		return sql.ErrTableColumnNotFound.New(t.Name(), name)
	}
	changed := column.Copy()
	changed.Source, changed.DatabaseSource = t.Name(), t.db.name
	schema := append(sql.Schema{}, t.schema...)
	schema[at] = changed
	renames := map[string]string{strings.ToLower(name): changed.Name}
	def, err := t.redefined(sql.PrimaryKeySchema{Schema: schema, PkOrdinals: append([]int{}, t.def.pk...)}, renames)
	if err != nil {
		return err
	}
	return t.change(ctx, def)
}

// place is the ordinal at which a new column goes.
func (t *Table) place(order *sql.ColumnOrder, end int) (int, error) {
	switch {
	case order == nil:
		return end, nil
	case order.First:
		return 0, nil
	case order.AfterColumn == "":
		return end, nil
	}
	i := t.columnIndex(order.AfterColumn)
	if i < 0 {
		return 0, sql.ErrTableColumnNotFound.New(t.Name(), order.AfterColumn)
	}
	return i + 1, nil
}

// pkIn finds the primary key's columns in another schema, leaving out those that are gone.
func (t *Table) pkIn(schema sql.Schema, renames map[string]string) []int {
	ordinals := []int{}
	for _, c := range t.def.pk {
		name := t.def.schema[c].Name
		if to, ok := renames[strings.ToLower(name)]; ok {
			name = to
		}
		if i := schema.IndexOfColName(name); i >= 0 {
			ordinals = append(ordinals, i)
		}
	}
	return ordinals
}

// recolumn rewrites the table with other columns: each is the ordinal of an old one, or -1 for a new one of NULLs. No
// row is turned into SQL values.
func (t *Table) recolumn(ctx *sql.Context, def *definition, columns []int) error {
	err := t.db.pro.alter(ctx, func(txn *storage.Txn) error {
		st, err := txn.Table(t.db.name, t.Name())
		if err != nil {
			return err
		}
		read := []int{}
		for _, c := range columns {
			if c >= 0 {
				read = append(read, c)
			}
		}
		scanner, err := st.Scan(ctx, storage.ScanOptions{Columns: read})
		if err != nil {
			return err
		}
		reader := &recolumnReader{RecordReader: scanner, schema: def.spec.Schema, columns: columns}
		defer reader.Release()
		next := st.NextAutoIncrement()
		if err := t.explain(def, txn.AlterTable(t.db.name, t.Name(), def.spec, reader)); err != nil {
			return err
		}
		return keepAutoIncrement(txn, def, next)
	})
	if err == nil {
		t.def, t.schema = def, def.schema.Copy()
	}
	return err
}

// keepAutoIncrement sets the counter of a rewritten table to at least next.
func keepAutoIncrement(txn *storage.Txn, def *definition, next uint64) error {
	if def.spec.AutoIncrement < 0 || next == 0 {
		return nil
	}
	st, err := txn.Table(def.spec.Database, def.spec.Name)
	if err != nil {
		return err
	}
	if st.NextAutoIncrement() < next {
		return st.SetAutoIncrement(next)
	}
	return nil
}

// recolumnReader adds columns of NULLs to batches and lays them out under another schema.
type recolumnReader struct {
	array.RecordReader
	schema  *arrow.Schema
	columns []int
	batch   arrow.RecordBatch
}

func (r *recolumnReader) Schema() *arrow.Schema          { return r.schema }
func (r *recolumnReader) RecordBatch() arrow.RecordBatch { return r.batch }
func (r *recolumnReader) Record() arrow.RecordBatch      { return r.batch }

func (r *recolumnReader) Next() bool {
	r.drop()
	if !r.RecordReader.Next() {
		return false
	}
	in := r.RecordReader.RecordBatch()
	cols := make([]arrow.Array, len(r.columns))
	fields := make([]arrow.Field, len(r.columns))
	read := 0
	for i, c := range r.columns {
		fields[i] = r.schema.Field(i)
		if c < 0 {
			cols[i] = array.MakeArrayOfNull(allocator, fields[i].Type, int(in.NumRows()))
			continue
		}
		cols[i] = in.Column(read)
		cols[i].Retain()
		fields[i].Type = cols[i].DataType() // text may come as a dictionary
		read++
	}
	r.batch = array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, in.NumRows())
	for _, c := range cols {
		c.Release()
	}
	return true
}

func (r *recolumnReader) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

func (r *recolumnReader) Release() {
	r.drop()
	r.RecordReader.Release()
}

// RewriteInserter implements sql.RewritableTable: the engine reads all rows, converts them and inserts them here; the
// new table takes the old one's place on Close.
func (t *Table) RewriteInserter(ctx *sql.Context, oldSchema, newSchema sql.PrimaryKeySchema, oldColumn, newColumn *sql.Column, idxCols []sql.IndexColumn) (sql.RowInserter, error) {
	for _, c := range idxCols {
		i := newSchema.Schema.IndexOfColName(c.Name)
		if i < 0 {
			return nil, sql.ErrColumnNotFound.New(c.Name)
		}
		if newSchema.Schema[i].PrimaryKey && c.Length > 0 && types.IsText(newSchema.Schema[i].Type) {
			return nil, sql.ErrUnsupportedIndexPrefix.New(c.Name)
		}
	}
	if len(oldSchema.PkOrdinals) > 0 && len(newSchema.PkOrdinals) == 0 {
		if err := sql.ValidatePrimaryKeyDrop(ctx, t, oldSchema); err != nil {
			return nil, err
		}
	}
	renames := map[string]string{}
	if oldColumn != nil && newColumn != nil {
		renames[strings.ToLower(oldColumn.Name)] = newColumn.Name
	}
	def, err := t.redefined(newSchema, renames)
	if err != nil {
		return nil, err
	}
	b, err := sqltype.NewBatcher(nil, def.schema)
	if err != nil {
		return nil, err
	}
	return &rewriter{table: t, def: def, batcher: b}, nil
}

type rewriter struct {
	table   *Table
	def     *definition
	batcher *sqltype.Batcher
	batches []arrow.RecordBatch
	next    uint64 // of the auto-increment column
	failed  bool
}

// rewriteBatchRows is the size of the batches a rewrite collects.
const rewriteBatchRows = 65536

func (r *rewriter) StatementBegin(*sql.Context)                {}
func (r *rewriter) StatementComplete(*sql.Context) error       { return nil }
func (r *rewriter) DiscardChanges(*sql.Context, error) error   { r.failed = true; return nil }
func (r *rewriter) Insert(ctx *sql.Context, row sql.Row) error { return r.insert(ctx, row) }

func (r *rewriter) insert(ctx context.Context, row sql.Row) error {
	if err := r.batcher.Append(ctx, row); err != nil {
		r.failed = true
		return err
	}
	if a := r.def.spec.AutoIncrement; a >= 0 && row[a] != nil {
		v, err := autoIncrementOf(ctx, row[a])
		if err != nil {
			return err
		}
		r.next = max(r.next, v+1)
	}
	if r.batcher.Len() >= rewriteBatchRows {
		r.batches = append(r.batches, r.batcher.NewRecordBatch())
	}
	return nil
}

func (r *rewriter) Close(ctx *sql.Context) error {
	if r.batcher == nil {
		return nil
	}
	if !r.failed && r.batcher.Len() > 0 {
		r.batches = append(r.batches, r.batcher.NewRecordBatch())
	}
	r.batcher.Release()
	r.batcher = nil
	defer func() {
		for _, b := range r.batches {
			b.Release()
		}
		r.batches = nil
	}()
	if r.failed {
		return nil
	}
	t := r.table
	err := t.db.pro.alter(ctx, func(txn *storage.Txn) error {
		old, err := txn.Table(t.db.name, t.Name())
		if err != nil {
			return err
		}
		next := r.next
		if t.def.spec.AutoIncrement >= 0 {
			next = max(next, old.NextAutoIncrement())
		}
		reader, err := array.NewRecordReader(r.def.spec.Schema, r.batches)
		if err != nil {
			return err
		}
		defer reader.Release()
		if err := t.explain(r.def, txn.AlterTable(t.db.name, t.Name(), r.def.spec, reader)); err != nil {
			return err
		}
		return keepAutoIncrement(txn, r.def, next)
	})
	if err == nil {
		t.def, t.schema = r.def, r.def.schema.Copy()
	}
	return err
}

// autoIncrementOf is a column value as a counter; negative ones do not count.
func autoIncrementOf(ctx context.Context, v any) (uint64, error) {
	n, inRange, err := types.Int64.Convert(ctx, v)
	if err == nil && inRange == sql.InRange {
		return uint64(max(n.(int64), 0)), nil
	}
	u, _, err := types.Uint64.Convert(ctx, v)
	if err != nil {
		return 0, fmt.Errorf("auto-increment value: %w", err)
	}
	return u.(uint64), nil
}
