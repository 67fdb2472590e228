package bulk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// Backuper copies a data directory: this process's own, or a server's through its socket.
type Backuper interface {
	// Backup copies the newest committed state into an empty or absent directory, named absolutely; see storage.DB.Backup. With a
	// server it is the server's process that writes.
	Backup(ctx context.Context, dir string) error
}

// Backup implements Backuper.
func (l *Local) Backup(ctx context.Context, dir string) error { return l.db.Backup(ctx, dir) }

// backup answers POST /backup?to=….
func (h *loads) backup(w http.ResponseWriter, r *http.Request) {
	dir := r.FormValue("to")
	err := errors.New("no directory named")
	if dir != "" {
		err = h.local.Backup(r.Context(), dir)
	}
	if err != nil {
		h.logger.Warn("backup failed", "to", dir, "error", err)
		reply(w, message{Error: err.Error()})
		return
	}
	h.logger.Info("backup done", "to", dir)
	reply(w, message{})
}

// Backup implements Backuper.
func (r *Remote) Backup(ctx context.Context, dir string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://almanac/backup?"+url.Values{"to": {dir}}.Encode(), nil)
	if err != nil {
		return err
	}
	_, err = r.do(req)
	return err
}
