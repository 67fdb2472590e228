package server

import (
	"log/slog"
	"time"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/functions"
)

// Config is what a server needs to know. The zero value of every field but DataDir has a sensible meaning.
type Config struct {
	// DataDir holds the databases. It is created if absent, and locked while the server runs.
	DataDir string
	// Listen is host:port; empty means 127.0.0.1:3306. Port 0 picks a free one (see Server.Addr). Any host that is not
	// loopback is refused while an account can log in without a password.
	Listen string
	// Version is what `almanac version` prints; it appears in @@version_comment.
	Version string
	// RootPassword, if not empty, becomes the password of the root accounts before the server listens.
	RootPassword string
	// SecureFileDir is the only directory that LOAD DATA INFILE, LOAD_FILE and INTO OUTFILE may touch on the server's side;
	// empty means DataDir/files. LOAD DATA LOCAL reads the client's files and is not concerned.
	SecureFileDir string
	// Demo creates the database `demo` with simulated sales if it does not exist.
	Demo bool
	// ShutdownTimeout is how long a stop waits for running statements before it cancels them; 0 means 10 seconds.
	ShutdownTimeout time.Duration
	// MaxConnections bounds the number of clients; 0 means 500.
	MaxConnections int
	// Workers is the number of goroutines a table function uses; 0 means one per core.
	Workers int
	// Models are the models on offer to the table functions.
	Models []engine.ModelSpec
	// Functions are the table functions; nil means functions.All().
	Functions []*functions.Spec
	// Logger receives the server's log; nil means slog.Default.
	Logger *slog.Logger
}

const (
	defaultListen          = "127.0.0.1:3306"
	defaultShutdownTimeout = 10 * time.Second
	defaultMaxConnections  = 500
	// mysqlVersion is the version of MySQL whose behaviour the engine follows. Clients choose their dialect by it.
	mysqlVersion = "8.0.31"
)
