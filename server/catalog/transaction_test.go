package catalog_test

import (
	"errors"
	"testing"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
)

func TestTransactions(t *testing.T) {
	i := newInstance(t)
	a, b := i.session(), i.session()
	a.exec("create table t (id int primary key, v int)", "insert into t values (1, 1)")
	a.exec("begin", "insert into t values (2, 2)", "update t set v = 10 where id = 1")
	a.want("select * from t order by id", "1|10", "2|2") // its own changes
	b.want("select * from t order by id", "1|1")         // nobody else's
	a.exec("rollback")
	a.want("select * from t order by id", "1|1")
	a.exec("start transaction", "insert into t values (3, 3)", "commit")
	b.want("select * from t order by id", "1|1", "3|3")
	b.exec("set autocommit = 0", "insert into t values (4, 4)")
	a.want("select count(*) from t", "2")
	b.exec("commit")
	a.want("select count(*) from t", "3")
	b.exec("delete from t where id = 4", "rollback", "set autocommit = 1")
	a.want("select count(*) from t", "3")
	// A statement that fails takes back itself, not the transaction.
	a.exec("begin", "insert into t values (5, 5)")
	a.fails("insert into t values (6, 6), (1, 0)", "duplicate primary key")
	a.exec("commit")
	b.want("select id from t order by id", "1", "3", "4", "5")
	i.restart()
	i.session().want("select id from t order by id", "1", "3", "4", "5")
}

func TestSnapshotStaysPut(t *testing.T) {
	i := newInstance(t)
	a, b := i.session(), i.session()
	a.exec("create table t (id int primary key)", "insert into t values (1)", "begin")
	a.want("select count(*) from t", "1")
	b.exec("insert into t values (2)")
	a.want("select count(*) from t", "1")
	a.exec("commit")
	a.want("select count(*) from t", "2")
}

func TestSavepoints(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key)", "begin", "insert into t values (1)", "savepoint one", "insert into t values (2)",
		"savepoint two", "insert into t values (3)", "rollback to savepoint one", "insert into t values (4)")
	s.fails("rollback to savepoint two", "SAVEPOINT")
	s.exec("release savepoint one")
	s.fails("rollback to savepoint one", "SAVEPOINT")
	s.exec("commit")
	s.want("select id from t order by id", "1", "4")
}

func TestWriteConflict(t *testing.T) {
	i := newInstance(t)
	a, b := i.session(), i.session()
	a.exec("create table t (id int primary key, v int)", "insert into t values (1, 0), (2, 0)")
	a.exec("begin", "update t set v = 1 where id = 1")
	b.exec("begin", "update t set v = 2 where id = 1")
	a.exec("commit")
	_, err := b.query("commit")
	var my *mysql.SQLError
	if !errors.As(err, &my) || my.Num != 1213 || my.State != "40001" {
		t.Fatalf("the loser got %v", err)
	}
	b.want("select v from t where id = 1", "1")
	b.exec("update t set v = 3 where id = 1") // the session goes on
	a.want("select v from t where id = 1", "3")
}

func TestReadOnlyTransaction(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key)", "start transaction read only")
	_, err := s.query("insert into t values (1)")
	if !sql.ErrReadOnlyTransaction.Is(err) {
		t.Errorf("writing gave %v", err)
	}
	s.want("select count(*) from t", "0")
	s.exec("commit", "insert into t values (1)")
}

func TestDDLCommits(t *testing.T) {
	i := newInstance(t)
	a, b := i.session(), i.session()
	a.exec("create table t (id int primary key)", "begin", "insert into t values (1)", "create table u (id int)", "insert into t values (2)", "rollback")
	b.want("select id from t order by id", "1", "2") // the table's creation ended the transaction
	b.want("show tables", "t", "u")
	// A failed CREATE leaves nothing behind.
	a.fails("create table w (id int primary key, unique key (nope))", "")
	b.want("show tables", "t", "u")
}

func TestTriggersRollBack(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key)", "create table log (id int primary key)",
		"create trigger tr after insert on t for each row insert into log values (new.id)", "insert into log values (3)")
	s.fails("insert into t values (1), (2), (3)", "duplicate primary key")
	s.want("select count(*) from t", "0")
	s.want("select id from log", "3")
	s.exec("insert into t values (1), (2)")
	s.want("select id from log order by id", "1", "2", "3")
}

func TestProcedureWithTransaction(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key, v int)",
		`create procedure p() begin
			declare n int default 0;
			start transaction;
			while n < 5 do set n = n + 1; insert into t values (n, n); end while;
			update t set v = v * 2 where id > 2;
			commit;
		end`, "call p()")
	s.want("select id, v from t order by id", "1|1", "2|2", "3|6", "4|8", "5|10")
	i.restart()
	i.session().want("select count(*) from t", "5")
}

func TestTriggerCallsProcedure(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key)", "create table log (id int primary key)",
		"create procedure note(in n int) insert into log values (n)",
		"create trigger tr after insert on t for each row call note(new.id)",
		"insert into t values (1), (2)")
	s.want("select id from log order by id", "1", "2")
	s.exec("insert into log values (9)")
	s.fails("insert into t values (8), (9)", "Duplicate entry '9' for key 'log.PRIMARY'")
	s.want("select id from t order by id", "1", "2")
	s.want("select id from log order by id", "1", "2", "9")
}

func TestCursorKeepsItsSnapshot(t *testing.T) {
	i := newInstance(t)
	s := i.session()
	s.exec("create table t (id int primary key)", "insert into t values (1)",
		`create procedure p() begin
			declare a int;
			declare c cursor for select id from t;
			open c; update t set id = 2; fetch c into a; close c;
			select a, id from t;
		end`)
	s.want("call p()", "1|2")
}
