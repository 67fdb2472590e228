package server

import (
	"reflect"
	"strings"

	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// rewrite changes a parsed statement into an equal one that the engine can run: window functions over groups, CUME_DIST.
// Rows given as VALUES cannot hold any of that and are left alone, as they may be many.
func rewrite(stmt sqlparser.Statement) sqlparser.Statement {
	if insert, ok := stmt.(*sqlparser.Insert); ok {
		if _, ok := insert.Rows.(*sqlparser.AliasedValues); ok {
			return stmt
		}
	}
	for _, s := range selectsIn(stmt) {
		replaceCumeDist(s)
		separateWindows(s)
	}
	return stmt
}

// selectsIn lists every SELECT within, also in the bodies of procedures, triggers, events and views, which the parser's own
// Walk leaves out.
func selectsIn(stmt sqlparser.Statement) []*sqlparser.Select {
	var found []*sqlparser.Select
	inspect(reflect.ValueOf(stmt), func(node any) bool {
		if s, ok := node.(*sqlparser.Select); ok {
			found = append(found, s)
		}
		return true
	})
	return found
}

// inspect calls fn for every pointer within, from the root down, until fn refuses to go deeper.
func inspect(v reflect.Value, fn func(node any) bool) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			inspect(v.Elem(), fn)
		}
	case reflect.Pointer:
		if !v.IsNil() && fn(v.Interface()) {
			inspect(v.Elem(), fn)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				inspect(v.Field(i), fn)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			inspect(v.Index(i), fn)
		}
	}
}

var exprType = reflect.TypeFor[sqlparser.Expr]()

// replaceExprs replaces expressions within by what fn returns; nil leaves the expression and goes on inside of it.
func replaceExprs(v reflect.Value, fn func(sqlparser.Expr) sqlparser.Expr) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Type() == exprType && v.CanSet() {
			if to := fn(v.Interface().(sqlparser.Expr)); to != nil {
				v.Set(reflect.ValueOf(to))
				return
			}
		}
		replaceExprs(v.Elem(), fn)
	case reflect.Pointer:
		if !v.IsNil() {
			replaceExprs(v.Elem(), fn)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				replaceExprs(v.Field(i), fn)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			replaceExprs(v.Index(i), fn)
		}
	}
}

// contains tells whether an expression within, outside of sub-queries, satisfies is.
func contains(node any, is func(node any) bool) bool {
	found := false
	inspect(reflect.ValueOf(node), func(n any) bool {
		if is(n) {
			found = true
		}
		_, sub := n.(*sqlparser.Subquery)
		return !found && !sub
	})
	return found
}

// replaceCumeDist writes CUME_DIST() OVER (PARTITION BY p ORDER BY o) as the quotient of two counts: of the rows up to the last
// peer of this one, and of all rows of the partition.
func replaceCumeDist(s *sqlparser.Select) {
	count := func(over *sqlparser.Over) sqlparser.Expr {
		return &sqlparser.FuncExpr{Name: sqlparser.NewColIdent("count"), Exprs: sqlparser.SelectExprs{&sqlparser.StarExpr{}}, Over: over}
	}
	replace := func(e sqlparser.Expr) sqlparser.Expr {
		f, ok := e.(*sqlparser.FuncExpr)
		if !ok || f.Over == nil || !f.Name.EqualString("cume_dist") {
			return nil
		}
		window := *f.Over
		if !window.NameRef.IsEmpty() {
			for _, w := range s.Window {
				if strings.EqualFold(w.Name.String(), window.NameRef.String()) {
					window = sqlparser.Over(*w)
				}
			}
		}
		before := &sqlparser.Over{PartitionBy: window.PartitionBy, OrderBy: window.OrderBy}
		all := &sqlparser.Over{PartitionBy: window.PartitionBy}
		one := &sqlparser.BinaryExpr{Operator: sqlparser.MultStr, Left: count(before), Right: sqlparser.NewFloatVal([]byte("1e0"))}
		return &sqlparser.ParenExpr{Expr: &sqlparser.BinaryExpr{Operator: sqlparser.DivStr, Left: one, Right: count(all)}}
	}
	replaceExprs(reflect.ValueOf(s.SelectExprs), replace)
	replaceExprs(reflect.ValueOf(s.OrderBy), replace)
}
