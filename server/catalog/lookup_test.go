package catalog_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestSecondaryKeys asks by plain keys for rows in segments, in memory and of the running transaction.
func TestSecondaryKeys(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key, name varchar(20) collate utf8mb4_0900_ai_ci, n int, x double, key by_name (name, n), key by_x (x, n))")
	s.exec("create table plain (id int, name varchar(20) collate utf8mb4_0900_ai_ci, n int, x double)")
	both := func(statement string) {
		s.exec(statement, strings.NewReplacer("into t ", "into plain ", "from t ", "from plain ", "update t ", "update plain ").Replace(statement))
	}
	insert := func(from, to int) {
		var values []string
		for k := from; k < to; k++ {
			name, x := fmt.Sprintf("'Item%d'", k%10), fmt.Sprint(float64(k%20)/4)
			if k%11 == 0 {
				name, x = "null", "null"
			}
			values = append(values, fmt.Sprintf("(%d, %s, %d, %s)", k, name, k%7, x))
		}
		both("insert into t values " + strings.Join(values, ","))
	}
	insert(0, 2200)
	i.restart() // to segments
	s = i.session()
	s.exec("use shop")
	insert(2200, 2420)
	s.exec("begin")
	insert(2420, 2530)
	both("delete from t where id between 100 and 209")
	both("update t set n = 100 where id = 1")
	for _, q := range []string{
		"name = 'item3'", "name = 'ITEM3' and n = 2", "name = 'item3' and n > 4", "name in ('Item1', 'Item2', 'Item9')", "name is null",
		"name is null and n = 3", "x = 1.25", "x > 3", "x >= 1 and x < 2.5", "x = 1 and n between 2 and 4", "x is null", "x <> 2", "name > 'item5'",
		"x = 4 or name = 'item8'", "name = 'item1' and n = 100", "x in (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 7)",
	} {
		rows, err := s.query("select count(*), sum(id) from plain where " + q)
		if err != nil {
			t.Fatal(err)
		}
		s.want("select count(*), sum(id) from t where "+q, rows...)
	}
	s.want("select count(*) from t where name = 'item3'", "220")
	s.want("select count(*) from (select 'item1' as k union all select 'ITEM2' union all select 'none') a join t on t.name = a.k", "440")
	s.want("select id from t where name = 'item1' and n = 100", "1")
}

// BenchmarkSecondaryKey asks for about 100 of a million rows by a plain key.
func BenchmarkSecondaryKey(b *testing.B) {
	i := newInstance(b)
	s := i.session()
	s.exec("create table t (id int primary key, k int, s varchar(20), v double, key k (k), key s (s))")
	for from := 0; from < 1_000_000; from += 50_000 {
		values := make([]string, 50_000)
		for r := range values {
			k := (from + r) * 7919 % 10007
			values[r] = fmt.Sprintf("(%d,%d,'c%05d',1.5)", from+r, k, k)
		}
		s.exec("insert into t values " + strings.Join(values, ","))
	}
	i.restart()
	s = i.session()
	s.exec("use shop")
	n := 0
	for name, query := range map[string]func() string{
		"point": func() string { return fmt.Sprintf("select sum(v) from t where k = %d", n*31%10007) },
		"text":  func() string { return fmt.Sprintf("select sum(v) from t where s = 'c%05d'", n*31%10007) },
		"range": func() string {
			return fmt.Sprintf("select sum(v) from t where k between %d and %d", n*31%10007, n*31%10007+3)
		},
		"unkeyed": func() string { return fmt.Sprintf("select sum(v) from t where k+0 = %d", n*31%10007) },
	} {
		s.exec(query())
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n++
				s.exec(query())
			}
		})
	}
}
