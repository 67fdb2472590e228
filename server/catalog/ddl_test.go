package catalog_test

import (
	"strings"
	"testing"
)

func TestAlterTable(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key, a int, b varchar(20), key k_a (a), unique key u_b (b))",
		"insert into t values (1, 10, 'x'), (2, 20, 'y')",
		"alter table t add column c double",
		"alter table t add column d int not null default 7 after id",
		"alter table t add column e varchar(5) first")
	s.want("select * from t order by id", "NULL|1|7|10|x|NULL", "NULL|2|7|20|y|NULL")
	s.exec("alter table t drop column e", "alter table t rename column b to name", "alter table t modify column a varchar(10)",
		"alter table t change column c ratio decimal(10,3) default 0.5 after id", "alter table t alter column d set default 9")
	s.exec("insert into t (id, a, name) values (3, 'abc', 'z')")
	s.want("select * from t order by id", "1|NULL|7|10|x", "2|NULL|7|20|y", "3|0.500|9|abc|z")
	s.fails("insert into t (id, name) values (4, 'x')", "duplicate unique key")
	s.fails("alter table t modify column a int", "")
	s.fails("alter table t add unique key (d)", "Duplicate entry '7'")
	s.exec("insert into t (id, name, ratio) values (7, 'q', 0.5)")
	s.fails("alter table t add unique key (ratio)", "Duplicate entry '0.500'")
	s.exec("delete from t where id = 7")
	s.exec("alter table t add unique key u_a (a)", "alter table t rename index u_a to uniq_a", "alter table t drop index k_a")
	s.fails("insert into t (id, a, name) values (5, '10', 'q')", "duplicate unique key")
	s.exec("alter table t rename to t2", "rename table t2 to t3")
	s.want("show tables", "t3")
	s.want("select count(*) from t3 where a = 'abc'", "1")
	s.exec("alter table t3 drop primary key", "insert into t3 (id, a, name) values (1, 'zz', 'zz')")
	s.fails("alter table t3 add primary key (id)", "duplicate")
	s.exec("delete from t3 where a = 'zz'", "alter table t3 add primary key (id, name)", "alter table t3 comment = 'hello'",
		"alter table t3 add constraint pos check (id > 0)")
	s.fails("insert into t3 (id, a, name) values (-1, 'n', 'n')", "pos")
	s.exec("alter table t3 drop check pos", "insert into t3 (id, a, name) values (-1, 'n', 'n')")
	s.exec("create index k on t3 (ratio) comment 'why'", "drop index uniq_a on t3", "alter table t3 add column seq bigint not null auto_increment unique")
	got, err := s.query("show create table t3")
	if err != nil {
		t.Fatal(err)
	}
	i.restart()
	s = i.session()
	s.want("show create table t3", got...)
	for _, part := range []string{
		"PRIMARY KEY (`id`,`name`)", "UNIQUE KEY `u_b` (`name`)", "KEY `k` (`ratio`) COMMENT 'why'",
		"`ratio` decimal(10,3) DEFAULT", "`d` int NOT NULL DEFAULT '9'", "COMMENT='hello'", "`seq` bigint NOT NULL AUTO_INCREMENT",
	} {
		if !strings.Contains(strings.Join(got, ""), part) {
			t.Errorf("no %q in:\n%s", part, strings.Join(got, ""))
		}
	}
	s.want("select seq from t3 order by seq", "1", "2", "3", "4")
	s.exec("insert into t3 (id, name) values (9, 'new')")
	s.want("select seq from t3 where id = 9", "5")
}

func TestEverythingSurvivesRestart(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create database other collate utf8mb4_0900_ai_ci", "create table other.x (a varchar(5))", "insert into other.x values ('A')",
		"create table t (id int primary key, v int) comment 'sales'", "insert into t values (1, 1), (2, 2)",
		"create table log (what varchar(20), id int)",
		"create view big as select id from t where v > 1",
		"create trigger tr1 before insert on t for each row set new.v = new.v * 10",
		"create trigger tr2 after delete on t for each row insert into log values ('deleted', old.id)",
		"create procedure addone(in n int) insert into t values (n, 1)",
		"create event later on schedule every 1 day starts '2040-01-01 00:00:00' do insert into log values ('event', 0)",
		"create user 'ana'@'localhost' identified by 'pw'", "grant select on shop.t to 'ana'@'localhost'")
	for range 2 {
		s.want("show databases", "information_schema", "mysql", "other", "shop")
		s.want("select a from other.x where a = 'a'", "A")
		s.want("select id from big", "2")
		s.want("show tables", "big", "log", "t")
		s.want("select trigger_name from information_schema.triggers where trigger_schema = 'shop' order by 1", "tr1", "tr2")
		s.want("select event_name, status from information_schema.events", "later|ENABLED")
		s.want("select user, host from mysql.user where user = 'ana'", "ana|localhost")
		s.want("select table_comment from information_schema.tables where table_name = 't'", "sales")
		s.exec("call addone(3)")
		s.want("select v from t where id = 3", "10")
		s.exec("delete from t where id = 3")
		s.want("select id from log", "3")
		s.exec("delete from log")
		ana := i.sessionAs("ana")
		ana.want("select count(*) from t", "2")
		ana.fails("insert into t values (7, 7)", "denied")
		i.restart()
		s = i.session()
	}
	s.exec("drop view big", "drop trigger tr1", "drop trigger tr2", "drop procedure addone", "drop event later", "drop table t", "drop database other")
	i.restart()
	s = i.session()
	s.want("show tables", "log")
	s.want("show databases", "information_schema", "mysql", "shop")
	s.exec("drop database shop", "create database shop", "use shop")
	s.want("show tables")
}

func TestEventsFire(t *testing.T) {
	i := newInstance(t)
	i.startScheduler()
	s := i.session()
	// A recurring one: the engine's scheduler drops a single event that a busy machine makes it start late.
	s.exec("create table log (id int primary key auto_increment, what varchar(20))",
		"create event tick on schedule every 1 second do insert into log (what) values ('fired')")
	s.eventually("select count(*) > 0, min(what) from log", "1|fired")
	s.eventually("select last_executed is not null from information_schema.events", "1")
	s.exec("drop event tick")
	s.want("select count(*) from information_schema.events", "0")
}

func TestCreateTableAsSelect(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key, d date not null, p decimal(8,2), s varchar(5))", "insert into t values (1, '2026-01-01', 1.25, 'a')",
		"create table c as select id, d, p * 2 as p2, s, 'lit' as l, now() as n, null as z from t",
		"create table l like t")
	s.want("select id, d, p2, s, l, z from c", "1|2026-01-01|2.50|a|lit|NULL")
	s.want("select count(*) from l", "0")
	s.fails("create table dup (id int primary key) as select 1 as id union all select 1", "duplicate primary key")
	s.want("show tables", "c", "l", "t")
	s.exec("insert into l select * from t")
	s.fails("insert into l select * from t", "duplicate primary key")
}
