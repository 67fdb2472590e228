package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/sirupsen/logrus"
)

var (
	libraryLogger atomic.Pointer[slog.Logger]
	redirectOnce  sync.Once
)

// redirectLogs sends what the SQL engine logs through logrus, which is global to the process, to logger. The engine's
// chatter (connections, every failing statement) arrives one or two levels lower than it was sent: a client's typing
// mistake is no concern of whoever runs the server.
func redirectLogs(logger *slog.Logger) {
	libraryLogger.Store(logger)
	redirectOnce.Do(func() {
		logrus.SetOutput(io.Discard)
		logrus.SetLevel(logrus.InfoLevel)
		logrus.AddHook(slogHook{})
		analyzer.SetOutput(io.Discard)
	})
}

type slogHook struct{}

// Levels implements logrus.Hook.
func (slogHook) Levels() []logrus.Level { return logrus.AllLevels[:logrus.InfoLevel+1] }

// Fire implements logrus.Hook.
func (slogHook) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	switch e.Level {
	case logrus.PanicLevel, logrus.FatalLevel:
		level = slog.LevelError
	case logrus.ErrorLevel:
		level = slog.LevelWarn
	}
	if strings.Contains(e.Message, net.ErrClosed.Error()) {
		level = slog.LevelDebug // the server closed the connection itself, of a client that was idle at a stop
	}
	logger := libraryLogger.Load()
	ctx := context.Background()
	if !logger.Enabled(ctx, level) {
		return nil
	}
	attrs := make([]slog.Attr, 0, len(e.Data)+1)
	attrs = append(attrs, slog.String("component", "sql"))
	for k, v := range e.Data {
		attrs = append(attrs, slog.Any(k, v))
	}
	logger.LogAttrs(ctx, level, e.Message, attrs...)
	return nil
}
