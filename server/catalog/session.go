package catalog

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/vitess/go/mysql"
)

// Session is one client's session, with at most one transaction over the storage. Like every sql.Session it is used by
// one statement at a time. Other session types may embed *Session.
type Session struct {
	*sql.BaseSession
	pro    *Provider
	client net.Conn // nil for sessions from inside of the process
}

var (
	_ sql.TransactionSession    = (*Session)(nil)
	_ sql.LifecycleAwareSession = (*Session)(nil)
)

// NewSession returns a session of pro's databases on top of base.
func NewSession(base *sql.BaseSession, pro *Provider) *Session {
	return &Session{BaseSession: base, pro: pro}
}

// SessionBuilder returns the listener's session builder: it makes one Session per connection, for the user that the
// handshake authenticated.
func SessionBuilder(pro *Provider) func(ctx context.Context, conn *mysql.Conn, addr string) (sql.Session, error) {
	return func(_ context.Context, conn *mysql.Conn, addr string) (sql.Session, error) {
		client := sql.Client{Capabilities: conn.Capabilities}
		if u, ok := conn.UserData.(sql.MysqlConnectionUser); ok {
			client.User, client.Address = u.User, u.Host
		}
		session := NewSession(sql.NewBaseSessionWithClientServer(addr, client, conn.ConnectionID), pro)
		session.client = conn.Conn
		return session, nil
	}
}

// ContextGetter returns what the event scheduler asks for a context whenever it looks at or runs events: each call makes
// a new session, which acts for the server until the scheduler sets the event's definer.
func ContextGetter(pro *Provider) func() (*sql.Context, error) {
	// Connection ids of the listener count up from one; these stay clear of them.
	var id atomic.Uint32
	id.Store(1 << 31)
	return func() (*sql.Context, error) {
		base := sql.NewBaseSessionWithClientServer("", sql.Client{User: "event_scheduler", Address: "localhost"}, id.Add(1))
		return sql.NewContext(context.Background(), sql.WithSession(NewSession(base, pro))), nil
	}
}

// catalogSession lets sessionOf see through types that embed *Session.
func (s *Session) catalogSession() *Session { return s }

// ClientOf returns the connection of the client whose statement ctx runs, nil for one from inside of the process. It is there
// to be asked about, not to be read from or written to.
func ClientOf(ctx *sql.Context) net.Conn {
	if s := sessionOf(ctx); s != nil {
		return s.client
	}
	return nil
}

func sessionOf(ctx *sql.Context) *Session {
	if ctx == nil {
		return nil
	}
	if h, ok := ctx.Session.(interface{ catalogSession() *Session }); ok {
		return h.catalogSession()
	}
	return nil
}

// transactionOf returns the running transaction of ctx's session, nil if there is none.
func transactionOf(ctx *sql.Context) *Transaction {
	s := sessionOf(ctx)
	if s == nil {
		return nil
	}
	tx, _ := s.GetTransaction().(*Transaction)
	if tx == nil || tx.ended {
		return nil
	}
	return tx
}

// CommandBegin implements sql.LifecycleAwareSession. A statement that the last command left open (its iterator was never
// closed) is taken back: it must not count as running.
func (s *Session) CommandBegin() error {
	if tx, ok := s.GetTransaction().(*Transaction); ok && tx != nil && !tx.ended {
		tx.abandon()
	}
	return nil
}

// CommandEnd implements sql.LifecycleAwareSession. The engine may leave the implicit transaction of a statement that
// failed to the next statement, which would see an old snapshot; it is rolled back here.
func (s *Session) CommandEnd() {
	if s.GetTransaction() == nil || s.GetIgnoreAutoCommit() {
		return
	}
	ctx := sql.NewContext(context.Background(), sql.WithSession(s))
	if auto, err := plan.IsSessionAutocommit(ctx); err == nil && auto {
		s.SetTransaction(nil)
	}
}

// SessionEnd implements sql.LifecycleAwareSession: what was not committed is rolled back, its snapshot let go.
func (s *Session) SessionEnd() {
	_ = s.CommandBegin()
	s.SetTransaction(nil)
}

// SetTransaction implements sql.Session. The engine drops a failed statement's implicit transaction by setting another
// or none; what it did is rolled back then. While a statement runs its transaction stays: the engine would end it after
// each statement of a procedure that a trigger calls.
//
// A transaction that has ended is none, and without one autocommit is never suspended: else nobody would begin one for the
// next statement, or nobody would commit it.
func (s *Session) SetTransaction(tx sql.Transaction) {
	if t, ok := tx.(*Transaction); ok && (t == nil || t.ended) {
		tx = nil
	}
	if old, ok := s.GetTransaction().(*Transaction); ok && old != nil && tx != sql.Transaction(old) {
		if tx == nil && !old.ended && old.running() {
			return
		}
		old.rollback()
	}
	if tx == nil {
		s.SetIgnoreAutoCommit(false)
	}
	s.BaseSession.SetTransaction(tx)
}
