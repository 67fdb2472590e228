package server

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// groupsAlias names the sub-query of separateWindows.
const groupsAlias = "__groups"

// separateWindows lets window functions stand beside GROUP BY and aggregates, as in
//
//	SELECT store, SUM(units), RANK() OVER (ORDER BY SUM(units) DESC) FROM sales GROUP BY store
//
// which the engine refuses. SQL computes windows over the rows that grouping and HAVING leave, so the statement means
//
//	SELECT c1, c2, RANK() OVER (ORDER BY c2 DESC) FROM (SELECT store c1, SUM(units) c2 FROM sales GROUP BY store) g
//
// and is rewritten into that. Columns outside of aggregates go into the inner list too, where the engine checks them against
// GROUP BY. Statements with * or with sub-queries beside a window in one expression are left to the engine.
func separateWindows(s *sqlparser.Select) {
	if !contains(s.SelectExprs, isWindow) && !contains(s.OrderBy, isWindow) {
		return
	}
	if len(s.GroupBy) == 0 && !contains(s.SelectExprs, isAggregate) && !contains(s.OrderBy, isAggregate) {
		return
	}
	if contains(s.OrderBy, isSubquery) || contains(s.Window, isSubquery) {
		return
	}
	for _, e := range s.SelectExprs {
		item, ok := e.(*sqlparser.AliasedExpr)
		if !ok || contains(item, isWindow) && contains(item, isSubquery) {
			return
		}
	}
	g := groups{columns: map[string]string{}, grouped: map[string]bool{}, shown: map[string]bool{}}
	for _, e := range s.GroupBy {
		if _, ok := e.(*sqlparser.SQLVal); !ok {
			g.grouped[keyOf(e)] = true
		}
	}
	outer := make(sqlparser.SelectExprs, len(s.SelectExprs))
	places := make([]int, len(s.SelectExprs))
	for i, e := range s.SelectExprs {
		item := e.(*sqlparser.AliasedExpr)
		shown := *item
		if shown.As.IsEmpty() {
			name := item.InputExpression
			if column, ok := item.Expr.(*sqlparser.ColName); ok {
				name = column.Name.String()
			}
			shown.As = sqlparser.NewColIdent(name)
		}
		g.shown[shown.As.Lowered()] = true
		if !contains(item, isWindow) {
			shown.Expr = g.add(item.Expr, item.As)
			places[i] = len(g.inner)
		}
		outer[i] = &shown
	}
	for i := range outer {
		if places[i] == 0 {
			replaceExprs(reflect.ValueOf(outer[i]), g.replace)
		}
	}
	for i, e := range s.GroupBy {
		if place, ok := position(e); ok && place >= 1 && place <= len(places) && places[place-1] != 0 {
			s.GroupBy[i] = sqlparser.NewIntVal([]byte(strconv.Itoa(places[place-1])))
		}
	}
	replaceExprs(reflect.ValueOf(s.Window), g.replace)
	replaceExprs(reflect.ValueOf(s.OrderBy), func(e sqlparser.Expr) sqlparser.Expr {
		if column, ok := e.(*sqlparser.ColName); ok && column.Qualifier.IsEmpty() && g.shown[column.Name.Lowered()] {
			return e
		}
		return g.replace(e)
	})
	inner := &sqlparser.Select{SelectExprs: g.inner, From: s.From, Where: s.Where, GroupBy: s.GroupBy, Having: s.Having}
	s.SelectExprs, s.Where, s.GroupBy, s.Having = outer, nil, nil, nil
	s.From = sqlparser.TableExprs{&sqlparser.AliasedTableExpr{
		Expr: &sqlparser.Subquery{Select: inner},
		As:   sqlparser.NewTableIdent(groupsAlias),
		Auth: sqlparser.AuthInformation{AuthType: sqlparser.AuthType_IGNORE},
	}}
}

// groups collects the inner list.
type groups struct {
	inner   sqlparser.SelectExprs
	columns map[string]string // expression to column of inner
	grouped map[string]bool   // the expressions of GROUP BY
	shown   map[string]bool   // names that ORDER BY may use
}

// add makes the expression a column of the inner list. It keeps its alias, which GROUP BY and HAVING may use.
func (g *groups) add(e sqlparser.Expr, alias sqlparser.ColIdent) sqlparser.Expr {
	for _, other := range g.inner {
		if alias.Equal(other.(*sqlparser.AliasedExpr).As) {
			alias = sqlparser.ColIdent{}
		}
	}
	if alias.IsEmpty() {
		alias = sqlparser.NewColIdent(fmt.Sprintf("__c%d", len(g.inner)+1))
	}
	g.inner = append(g.inner, &sqlparser.AliasedExpr{Expr: e, As: alias})
	if _, ok := g.columns[keyOf(e)]; !ok {
		g.columns[keyOf(e)] = alias.String()
	}
	return g.reference(alias.String())
}

func (g *groups) reference(name string) sqlparser.Expr {
	return &sqlparser.ColName{Name: sqlparser.NewColIdent(name), Qualifier: sqlparser.TableName{Name: sqlparser.NewTableIdent(groupsAlias)}}
}

// replace turns what belongs to the groups into references to the inner list.
func (g *groups) replace(e sqlparser.Expr) sqlparser.Expr {
	key := keyOf(e)
	switch node := e.(type) {
	case *sqlparser.ColName, *sqlparser.GroupConcatExpr:
	case *sqlparser.SQLVal:
		return e
	case *sqlparser.FuncExpr:
		if node.Over != nil || !isAggregate(node) && !g.grouped[key] && g.columns[key] == "" {
			return nil
		}
	default:
		if !g.grouped[key] && g.columns[key] == "" || contains(e, isWindow) {
			return nil
		}
	}
	if name, ok := g.columns[key]; ok {
		return g.reference(name)
	}
	return g.add(e, sqlparser.ColIdent{})
}

// keyOf is equal for equal expressions.
func keyOf(e sqlparser.Expr) string {
	text := sqlparser.String(e)
	if strings.ContainsAny(text, `'"`) {
		return text // the case of letters matters in text
	}
	return strings.ToLower(text)
}

// position reads GROUP BY 2.
func position(e sqlparser.Expr) (int, bool) {
	v, ok := e.(*sqlparser.SQLVal)
	if !ok || v.Type != sqlparser.IntVal {
		return 0, false
	}
	n, err := strconv.Atoi(string(v.Val))
	return n, err == nil
}

func isWindow(node any) bool {
	f, ok := node.(*sqlparser.FuncExpr)
	return ok && f.Over != nil
}

func isAggregate(node any) bool {
	if f, ok := node.(*sqlparser.FuncExpr); ok {
		return f.Over == nil && planbuilder.IsAggregateFunc(f.Name.Lowered())
	}
	_, ok := node.(*sqlparser.GroupConcatExpr)
	return ok
}

func isSubquery(node any) bool {
	_, ok := node.(*sqlparser.Subquery)
	return ok
}
