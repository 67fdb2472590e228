package catalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/storage"
)

// allocator makes the columns of NULLs that ALTER TABLE adds.
var allocator = memory.DefaultAllocator

// redefine changes keys and meta and leaves the columns alone.
func (t *Table) redefine(ctx *sql.Context, fn func(spec *storage.TableSpec, meta *tableMeta) error) error {
	spec, meta := t.def.spec, t.def.meta
	spec.Keys = append([]storage.Key(nil), spec.Keys...)
	meta.Indexes = append([]indexMeta(nil), meta.Indexes...)
	meta.Checks = append([]checkMeta(nil), meta.Checks...)
	if err := fn(&spec, &meta); err != nil {
		return err
	}
	def, err := encodeDefinition(spec, meta)
	if err != nil {
		return err
	}
	return t.change(ctx, def)
}

// CreateIndex implements sql.IndexAlterableTable. A unique index is verified against the rows. FULLTEXT, SPATIAL and
// VECTOR indexes, unique ones over a prefix, and partial ones are refused.
func (t *Table) CreateIndex(ctx *sql.Context, def sql.IndexDef) error {
	switch {
	case def.IsFullText():
		return unsupported("FULLTEXT index '%s'.\nFix: leave it out and filter with LIKE", def.Name)
	case def.IsSpatial():
		return unsupported("SPATIAL index '%s'", def.Name)
	case def.IsVector():
		return unsupported("VECTOR index '%s'", def.Name)
	case def.Predicate != nil:
		return unsupported("index '%s' with a WHERE clause", def.Name)
	}
	return t.redefine(ctx, func(spec *storage.TableSpec, meta *tableMeta) error {
		key := storage.Key{Name: def.Name, Unique: def.IsUnique()}
		if key.Name == "" {
			key.Name = strings.Join(def.ColumnNames(), "_")
		}
		for _, k := range spec.Keys {
			if strings.EqualFold(k.Name, key.Name) {
				return sql.ErrDuplicateKey.New(key.Name)
			}
		}
		extra := indexMeta{Name: key.Name, Comment: def.Comment}
		for i, c := range def.Columns {
			if c.Expression != nil {
				return unsupported("index '%s' over an expression.\nFix: add a generated column and index that", def.Name)
			}
			ordinal := t.columnIndex(c.Name)
			if ordinal < 0 {
				return sql.ErrKeyColumnDoesNotExist.New(c.Name)
			}
			key.Columns = append(key.Columns, ordinal)
			if c.Length > 0 {
				if def.IsUnique() {
					return unsupported("unique index '%s' over the first %d characters of '%s'.\nFix: index the whole column", def.Name, c.Length, c.Name)
				}
				if extra.Prefix == nil {
					extra.Prefix = make([]uint16, len(def.Columns))
				}
				extra.Prefix[i] = uint16(c.Length)
			}
		}
		spec.Keys = append(spec.Keys, key)
		if extra.Comment != "" || extra.Prefix != nil {
			meta.Indexes = append(meta.Indexes, extra)
		}
		return nil
	})
}

// DropIndex implements sql.IndexAlterableTable.
func (t *Table) DropIndex(ctx *sql.Context, name string) error {
	if strings.EqualFold(name, "PRIMARY") {
		return t.DropPrimaryKey(ctx)
	}
	return t.redefine(ctx, func(spec *storage.TableSpec, meta *tableMeta) error {
		for i, k := range spec.Keys {
			if strings.EqualFold(k.Name, name) {
				spec.Keys = append(spec.Keys[:i], spec.Keys[i+1:]...)
				meta.dropIndex(name)
				return nil
			}
		}
		return sql.ErrIndexNotFound.New(name)
	})
}

func (m *tableMeta) dropIndex(name string) {
	for i, x := range m.Indexes {
		if strings.EqualFold(x.Name, name) {
			m.Indexes = append(m.Indexes[:i], m.Indexes[i+1:]...)
			return
		}
	}
}

// RenameIndex implements sql.IndexAlterableTable.
func (t *Table) RenameIndex(ctx *sql.Context, from, to string) error {
	return t.redefine(ctx, func(spec *storage.TableSpec, meta *tableMeta) error {
		found := -1
		for i, k := range spec.Keys {
			switch {
			case strings.EqualFold(k.Name, from):
				found = i
			case strings.EqualFold(k.Name, to):
				return sql.ErrDuplicateKey.New(to)
			}
		}
		if found < 0 || spec.Keys[found].Primary {
			return sql.ErrIndexNotFound.New(from)
		}
		spec.Keys[found].Name = to
		for i := range meta.Indexes {
			if strings.EqualFold(meta.Indexes[i].Name, from) {
				meta.Indexes[i].Name = to
			}
		}
		return nil
	})
}

// CreatePrimaryKey implements sql.PrimaryKeyAlterableTable. The engine rewrites the table instead; this is for callers
// that do not, and verifies NOT NULL and uniqueness through the storage.
func (t *Table) CreatePrimaryKey(ctx *sql.Context, columns []sql.IndexColumn) error {
	if len(t.def.pk) > 0 {
		return sql.ErrMultiplePrimaryKeysDefined.New()
	}
	schema := t.schema.Copy()
	var pk []int
	for _, c := range columns {
		i := t.columnIndex(c.Name)
		if i < 0 {
			return sql.ErrKeyColumnDoesNotExist.New(c.Name)
		}
		if c.Length > 0 {
			return sql.ErrUnsupportedIndexPrefix.New(c.Name)
		}
		if err := t.read(ctx, func(st *storage.Table) error { return noNulls(ctx, st, i, c.Name) }); err != nil {
			return err
		}
		schema[i].PrimaryKey, schema[i].Nullable = true, false
		pk = append(pk, i)
	}
	return t.rekey(ctx, sql.PrimaryKeySchema{Schema: schema, PkOrdinals: pk})
}

func noNulls(ctx *sql.Context, st *storage.Table, column int, name string) error {
	scanner, err := st.Scan(ctx, storage.ScanOptions{Columns: []int{}, Ranges: []storage.Range{{Column: column, Null: true}}})
	if err != nil {
		return err
	}
	defer scanner.Release()
	for scanner.Next() {
		if scanner.RecordBatch().NumRows() > 0 {
			return sql.ErrInsertIntoNonNullableProvidedNull.New(name)
		}
	}
	return scanner.Err()
}

// DropPrimaryKey implements sql.PrimaryKeyAlterableTable.
func (t *Table) DropPrimaryKey(ctx *sql.Context) error {
	if len(t.def.pk) == 0 {
		return sql.ErrIndexNotFound.New("PRIMARY")
	}
	if err := sql.ValidatePrimaryKeyDrop(ctx, t, t.PrimaryKeySchema(ctx)); err != nil {
		return err
	}
	schema := t.schema.Copy()
	for _, col := range schema {
		col.PrimaryKey = false
	}
	return t.rekey(ctx, sql.PrimaryKeySchema{Schema: schema})
}

// rekey rewrites the table under another primary key, column-wise: the storage keeps rows in its order.
func (t *Table) rekey(ctx *sql.Context, schema sql.PrimaryKeySchema) error {
	def, err := t.redefined(schema, nil)
	if err != nil {
		return err
	}
	columns := make([]int, len(t.schema))
	for i := range columns {
		columns[i] = i
	}
	return t.recolumn(ctx, def, columns)
}

// CreateCheck implements sql.CheckAlterableTable; the engine has checked the existing rows.
func (t *Table) CreateCheck(ctx *sql.Context, check *sql.CheckDefinition) error {
	return t.redefine(ctx, func(_ *storage.TableSpec, meta *tableMeta) error {
		name := check.Name
		taken := func(name string) bool {
			for _, c := range meta.Checks {
				if strings.EqualFold(c.Name, name) {
					return true
				}
			}
			return false
		}
		for i := 1; name == ""; i++ {
			if n := fmt.Sprintf("%s_chk_%d", t.Name(), i); !taken(n) {
				name = n
			}
		}
		if taken(name) {
			return fmt.Errorf("Duplicate check constraint name '%s'.", name) //nolint:staticcheck,revive // MySQL's words
		}
		meta.Checks = append(meta.Checks, checkMeta{Name: name, Expression: check.CheckExpression, Enforced: check.Enforced})
		return nil
	})
}

// DropCheck implements sql.CheckAlterableTable.
func (t *Table) DropCheck(ctx *sql.Context, name string) error {
	return t.redefine(ctx, func(_ *storage.TableSpec, meta *tableMeta) error {
		for i, c := range meta.Checks {
			if strings.EqualFold(c.Name, name) {
				meta.Checks = append(meta.Checks[:i], meta.Checks[i+1:]...)
				return nil
			}
		}
		return errors.New("check '" + name + "' was not found on table '" + t.Name() + "'")
	})
}

// ModifyComment implements sql.CommentAlterableTable.
func (t *Table) ModifyComment(ctx *sql.Context, comment string) error {
	return t.redefine(ctx, func(_ *storage.TableSpec, meta *tableMeta) error {
		meta.Comment = comment
		return nil
	})
}

// ModifyDefaultCollation implements sql.CollationAlterableTable.
func (t *Table) ModifyDefaultCollation(ctx *sql.Context, collation sql.CollationID) error {
	return t.redefine(ctx, func(_ *storage.TableSpec, meta *tableMeta) error {
		meta.Collation = collation.Name()
		return nil
	})
}

// ModifyStoredCollation implements sql.CollationAlterableTable: all text columns get the collation, and keys over them
// are built anew, which fails if two values become equal.
func (t *Table) ModifyStoredCollation(ctx *sql.Context, collation sql.CollationID) error {
	schema := t.schema.Copy()
	for _, col := range schema {
		typ, ok := col.Type.(sql.TypeWithCollation)
		if !ok || typ.Collation() == sql.Collation_binary {
			continue
		}
		changed, err := typ.WithNewCollation(collation)
		if err != nil {
			return err
		}
		col.Type = changed
	}
	if err := t.rekey(ctx, sql.PrimaryKeySchema{Schema: schema, PkOrdinals: append([]int{}, t.def.pk...)}); err != nil {
		return err
	}
	return t.ModifyDefaultCollation(ctx, collation)
}
