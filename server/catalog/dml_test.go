package catalog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInsertUpdateDelete(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key, name varchar(20), price decimal(10,2) not null default 1.50, unique key (name))",
		"insert into t (id, name) values (1, 'one'), (2, 'two')",
		"insert into t values (3, 'three', 9.999), (4, null, 0), (5, null, -0.01)")
	s.want("select * from t order by id", "1|one|1.50", "2|two|1.50", "3|three|10.00", "4|NULL|0.00", "5|NULL|-0.01")
	s.exec("update t set price = price * 2, name = concat(name, '!') where id <= 2")
	s.want("select * from t where id < 3 order by id", "1|one!|3.00", "2|two!|3.00")
	s.exec("delete from t where id = 4")
	s.want("select id from t order by id desc", "5", "3", "2", "1")
	s.exec("update t set id = id + 10 order by id desc")
	s.want("select id from t order by id", "11", "12", "13", "15")
	s.exec("delete from t")
	s.want("select count(*) from t", "0")
}

func TestDuplicateKeys(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key, u int, v int, unique key u (u))", "insert into t values (1, 10, 0), (2, 20, 0)")
	s.fails("insert into t values (3, 30, 0), (1, 40, 0)", "duplicate primary key")
	s.want("select id from t order by id", "1", "2") // the whole statement is taken back
	s.fails("insert into t values (3, 10, 0)", "duplicate unique key")
	s.fails("update t set u = 20 where id = 1", "duplicate unique key")
	s.exec("insert ignore into t values (1, 1, 1), (5, 50, 5), (6, 10, 6)")
	s.want("select * from t order by id", "1|10|0", "2|20|0", "5|50|5")
	s.exec("insert into t values (1, 99, 0), (9, 20, 0), (7, 70, 0) on duplicate key update v = v + values(u)")
	s.want("select * from t order by id", "1|10|99", "2|20|20", "5|50|5", "7|70|0")
	s.exec("replace into t values (1, 20, 7), (8, 80, 8)") // collides with two rows at once
	s.want("select * from t order by id", "1|20|7", "5|50|5", "7|70|0", "8|80|8")
	s.exec("insert into t values (11, null, 0), (12, null, 0)") // NULLs never collide
	// Collisions within one statement.
	s.fails("insert into t values (21, 1, 0), (21, 2, 0)", "duplicate primary key")
	s.exec("insert into t values (21, 1, 0), (21, 2, 0) on duplicate key update v = 5")
	s.exec("replace into t values (22, 3, 1), (22, 3, 2)")
	s.want("select * from t where id > 20 order by id", "21|1|5", "22|3|2")
}

func TestCollationsInKeys(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table ci (k varchar(20) collate utf8mb4_0900_ai_ci primary key, n int)",
		"create table cs (k varchar(20) primary key, n int)",
		"insert into ci values ('Apfel', 1), ('Birne', 2)", "insert into cs values ('Apfel', 1), ('apfel', 2)")
	s.fails("insert into ci values ('APFEL', 3)", "duplicate primary key")
	s.want("select n from ci where k = 'aPFEL'", "1")
	s.want("select n from ci where k > 'apfel'", "2")
	s.want("select n from ci where k in ('BIRNE', 'APFEL', 'x', 'y', 'z') order by n", "1", "2")
	s.want("select n from cs where k = 'apfel'", "2")
}

func TestKeylessTables(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (a int, b varchar(10))", "insert into t values (1,'x'),(1,'x'),(1,'X'),(2,null),(2,null)")
	s.exec("delete from t where a = 2 limit 1")
	s.want("select * from t order by a, b", "1|X", "1|x", "1|x", "2|NULL")
	s.exec("update t set a = 5 where b = 'x' limit 1")
	s.want("select * from t order by a, b", "1|X", "1|x", "2|NULL", "5|x")
	s.exec("update t set b = 'n' where b is null")
	s.want("select a from t where b = 'n'", "2")
}

func TestInsertSelectFromItself(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key auto_increment, v int)", "insert into t (v) values (1),(2),(3)")
	s.exec("insert into t (v) select v + 10 from t")
	s.want("select id, v from t order by id", "1|1", "2|2", "3|3", "4|11", "5|12", "6|13")
	s.exec("insert into t (v) select a.v + b.v from t a join t b on a.v < b.v")
	s.want("select count(*) from t", "21")
}

func TestAutoIncrement(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id bigint primary key auto_increment, v int)",
		"insert into t (v) values (1), (2)", "insert into t values (10, 3)", "insert into t values (null, 4), (0, 5)")
	s.want("select * from t order by id", "1|1", "2|2", "10|3", "11|4", "12|5")
	s.want("select last_insert_id()", "11")
	s.exec("alter table t auto_increment = 100", "insert into t (v) values (6)")
	s.want("select max(id) from t", "100")
	i.restart()
	s = i.session()
	s.exec("insert into t (v) values (7)")
	s.want("select max(id) from t", "101")
	s.exec("truncate table t", "insert into t (v) values (8)")
	s.want("select * from t", "1|8")
	s.exec("create table tiny (id tinyint primary key auto_increment)", "insert into tiny values (126)", "insert into tiny values (null)")
	s.want("select max(id) from tiny", "127")
	s.fails("insert into tiny values (null)", "Duplicate entry '127'")
}

func TestConstraints(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec(`create table t (id int primary key, qty int not null check (qty >= 0), kind enum('a','b') default 'b',
		made datetime(6) default current_timestamp(6), note varchar(10) default 'it''s', twice int as (qty * 2) stored,
		constraint small check (qty < 1000))`)
	s.fails("insert into t (id) values (1)", "qty")
	s.fails("insert into t (id, qty) values (1, null)", "null")
	s.fails("insert into t (id, qty) values (1, -1)", "heck")
	s.fails("insert into t (id, qty) values (1, 5000)", "small")
	s.fails("insert into t (id, qty, note) values (1, 1, 'far too long for ten')", "note")
	s.exec("insert into t (id, qty) values (1, 4)")
	s.want("select id, qty, kind, note, twice, made > '2020-01-01' from t", "1|4|b|it's|8|1")
	s.fails("update t set qty = -4", "heck")
	i.restart()
	s = i.session()
	s.fails("insert into t (id, qty) values (2, -1)", "heck")
	s.exec("insert into t (id, qty) values (2, 21)", "update t set qty = 1 where id = 1")
	s.want("select id, kind, note, twice from t order by id", "1|b|it's|2", "2|b|it's|42")
}

// TestColumnTypes stores the extremes of every type a schema may use and reads them back, also after a restart.
func TestColumnTypes(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec(`create table t (id int primary key, b boolean, i1 tinyint, i2 smallint unsigned, i3 mediumint, i8 bigint unsigned,
		f float, d double, p decimal(18,4), q decimal(65,30), dt date, ts timestamp(6) null, dm datetime(6), tm time(6), y year,
		c char(5), vc varchar(50) collate utf8mb4_0900_ai_ci, tx mediumtext, bi varbinary(4), bl blob, e enum('x','it''s'), st set('p','q','r'), bt bit(9), j json)`)
	s.exec(`insert into t values (1, true, -128, 65535, -8388608, 18446744073709551615, 1.5, 0.1, -12345678901234.5678,
		12345678901234567890123456789012345.123456789012345678901234567890, '1969-12-31', '2026-02-28 23:59:59.999999',
		'1000-01-01 00:00:00.000001', '-838:59:59.000000', 2155, 'abc', 'Käse', 'text', 'ab', 'blob', 'it''s', 'p,r', 257, '{"a":[1,2.5,null]}')`)
	s.exec("insert into t (id) values (2)")
	const row = `1|1|-128|65535|-8388608|18446744073709551615|1.5|0.1|-12345678901234.5678|` +
		`12345678901234567890123456789012345.123456789012345678901234567890|1969-12-31|2026-02-28 23:59:59.999999|` +
		`1000-01-01 00:00:00.000001|-838:59:59.000000|2155|abc|Käse|text|ab|blob|it's|p,r|` + "\x01\x01" + `|{"a": [1, 2.5, null]}`
	null := "2" + strings.Repeat("|NULL", 23)
	s.want("select * from t order by id", row, null)
	i.restart()
	s = i.session()
	s.want("select * from t order by id", row, null)
	s.want("select id from t where p = -12345678901234.5678 and dt < '1970-01-01' and e = 'it''s' and vc = 'KASE' and j->'$.a[0]' = 1", "1")
	s.exec("update t set q = q - 0.000000000000000000000000000001 where id = 1")
	s.want("select q from t where id = 1", "12345678901234567890123456789012345.123456789012345678901234567889")
}

func TestRefusals(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table parent (id int primary key)")
	s.fails("create table g (id int primary key, p point)", "POINT")
	s.fails("create table v (id int primary key, p vector(3))", "VECTOR")
	s.fails("create table f (id int primary key, p int, foreign key (p) references parent (id))", "foreign key")
	s.fails("create table x (id int primary key, t text, fulltext key (t))", "")
	s.fails("create table y (id int primary key, t text, unique key (t(5)))", "first 5 characters")
	s.fails("create temporary table z (id int)", "emporary")
	s.want("show tables", "parent")
}

func TestRangeLookups(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (k int, d date, v int, u varchar(10), primary key (k, d), key by_v (v), unique key by_u (u))")
	var values []string
	for n := range 300 {
		u := fmt.Sprintf("'u%03d'", n)
		v := fmt.Sprint(n % 7)
		if n%50 == 0 {
			v, u = "null", "null"
		}
		values = append(values, fmt.Sprintf("(%d, date '2026-01-01' + interval %d day, %s, %s)", n/30, n%30, v, u))
	}
	s.exec("insert into t values " + strings.Join(values, ","))
	s.want("select count(*) from t where k = 3", "30")
	s.want("select v from t where k = 3 and d = '2026-01-05'", "3")
	s.want("select count(*) from t where k between 2 and 4 and d > '2026-01-10'", "60")
	s.want("select count(*) from t where k > 8 or k < 1", "60")
	s.want("select count(*) from t where v is null", "6")
	s.want("select count(*) from t where v = 3", "42")
	s.want("select count(*) from t where v in (0,1,2,3,4,5)", "252")
	s.want("select count(*) from t where v <> 3", "252")
	s.want("select count(*) from t where v >= 5 or v is null", "90")
	s.want("select k, d from t where u = 'u007'", "0|2026-01-08")
	s.want("select count(*) from t where u in ('u001','u002','nix','u004','u005','u006')", "5")
	s.want("select count(*) from t where u > 'u250'", "49")
	s.want("select k, d from t order by k, d limit 2", "0|2026-01-01", "0|2026-01-02")
	s.want("select k, d from t order by k desc, d desc limit 2", "9|2026-01-30", "9|2026-01-29")
	s.want("select count(*) from t where k = 3.5", "0")
	s.want("select count(*) from t where k < 3.5", "120")
	s.want("select count(*) from t where k = '3'", "30")
	s.want("select count(*) from t a join t b on a.k = b.k and a.d = b.d", "300")
	s.want("select count(*) from t a join t b on a.v = b.k", fmt.Sprint(294*30))
	s.want("select count(*) from (select 3 as k union all select 5 union all select 7 union all select 8 union all select 9) x join t on t.k = x.k", "150")
	s.want("select count(*) from t a where exists (select 1 from t b where b.v = a.k)", "210")
}

func TestLoadData(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	dir := t.TempDir()
	file := filepath.Join(dir, "sales.csv")
	content := "id,ds,qty\n" + strings.Join(lines("%d,2026-01-01,1.5", 1, 2000), "\n") + "\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s.exec("create table sales (id int primary key, ds date, qty double)",
		"set global local_infile = 1",
		fmt.Sprintf("load data infile '%s' into table sales fields terminated by ',' ignore 1 lines", file))
	s.want("select count(*), min(id), max(id), sum(qty) from sales", "2000|1|2000|3000")
	broken := filepath.Join(dir, "broken.csv")
	if err := os.WriteFile(broken, []byte("3000,2026-01-01,1\n3001,not a date,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.exec("truncate table sales")
	if _, err := s.query(fmt.Sprintf("load data infile '%s' into table sales fields terminated by ','", broken)); err != nil {
		s.want("select count(*) from sales", "0") // nothing half-loaded stays behind
	}
}

func TestKilledStatementLeavesNothing(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table n (id int primary key)", "insert into n values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)", "create table t (id int primary key)")
	ctx, cancel := context.WithCancel(context.Background())
	query := s.context(ctx)
	_, iter, _, err := i.engine.Query(query, "insert into t select a.id + 10*b.id + 100*c.id from n a, n b, n c")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for {
		if _, err = iter.Next(query); err != nil {
			break
		}
	}
	_ = iter.Close(query)
	s.sess.CommandEnd()
	s.want("select count(*) from t", "0")
	s.exec("insert into t select id from n")
	s.want("select count(*) from t", "10")
}

// TestLargeStatements crosses the size at which a statement's rows are handed over in pieces.
func TestLargeStatements(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table n (id int primary key)", "insert into n values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)",
		"create table t (id int primary key, v int)")
	const all = "a.id + 10*b.id + 100*c.id + 1000*d.id + 10000*e.id"
	s.exec("insert into t select " + all + ", 0 from n a, n b, n c, n d, n e")
	s.want("select count(*), count(distinct id), max(id) from t", "100000|100000|99999")
	s.fails("insert into t select "+all+" + 50000, 1 from n e, n d, n c, n b, n a", "duplicate primary key")
	s.want("select count(*), sum(v) from t", "100000|0")
	s.exec("begin", "insert into t values (-1, 0)")
	s.fails("insert into t select 199998 - ("+all+"), 1 from n e, n d, n c, n b, n a", "duplicate primary key")
	s.want("select count(*), min(id) from t", "100001|-1") // the statement before it stays
	s.exec("rollback", "update t set v = v + 1", "delete from t where id >= 99990")
	s.want("select count(*), sum(v) from t", "99990|99990")
}
