package bulk

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/almanacdb/almanac/storage"
)

// socketName is the socket's file in the data directory. Who may write there may load: there is no further authentication.
const socketName = "import.sock"

// message is a Target on the wire; its fields travel as an Arrow schema.
type message struct {
	Database, Table string
	Schema          []byte `json:",omitempty"`
	AutoIncrement   int
	Defaults        []bool   `json:",omitempty"`
	PrimaryKey      []string `json:",omitempty"`
	Create          bool     `json:",omitempty"`
	Loaded          int64    `json:",omitempty"`
	Error           string   `json:",omitempty"`
	NoTable         bool     `json:",omitempty"`
	NoDatabase      bool     `json:",omitempty"`
}

const targetHeader = "Almanac-Target"

// Socket takes loads from other processes on this machine until it is closed.
type Socket struct {
	server *http.Server
	path   string
	cancel context.CancelFunc
	done   chan struct{}
}

// Listen opens the socket in the data directory and serves loads into local.
func Listen(dir string, local *Local, logger *slog.Logger) (*Socket, error) {
	path := filepath.Join(dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // left by a server that was killed
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &loads{local: local, logger: logger}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /target", h.target)
	mux.HandleFunc("POST /load", h.load)
	mux.HandleFunc("GET /export", h.export)
	mux.HandleFunc("GET /dump", h.dump)
	mux.HandleFunc("POST /backup", h.backup)
	s := &Socket{
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }},
		path:   path, cancel: cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l)
	}()
	return s, nil
}

// Close gives running loads the time that ctx leaves, rolls back those that are not done by then, and removes the socket.
func (s *Socket) Close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	s.cancel()
	if err != nil {
		err = s.server.Close()
	}
	<-s.done
	_ = os.Remove(s.path)
	return err
}

type loads struct {
	local  *Local
	logger *slog.Logger
}

func (h *loads) target(w http.ResponseWriter, r *http.Request) {
	t, err := h.local.Target(r.Context(), r.FormValue("database"), r.FormValue("table"))
	if err != nil {
		reply(w, message{Error: err.Error(), NoTable: errors.Is(err, storage.ErrNoTable) || errors.Is(err, storage.ErrNoDatabase)})
		return
	}
	m, err := encode(t)
	if err != nil {
		reply(w, message{Error: err.Error()})
		return
	}
	reply(w, m)
}

func (h *loads) load(w http.ResponseWriter, r *http.Request) {
	loaded, err := h.run(r)
	if err != nil {
		h.logger.Warn("import failed", "error", err)
		reply(w, message{Error: err.Error()})
		return
	}
	reply(w, message{Loaded: loaded})
}

func (h *loads) run(r *http.Request) (loaded int64, err error) {
	defer func() {
		if p := recover(); p != nil { // the Arrow decoder panics on some malformed input
			err = fmt.Errorf("import: %v", p)
		}
	}()
	header, err := base64.StdEncoding.DecodeString(r.Header.Get(targetHeader))
	if err != nil {
		return 0, fmt.Errorf("import: header: %w", err)
	}
	var m message
	if err := json.Unmarshal(header, &m); err != nil {
		return 0, fmt.Errorf("import: header: %w", err)
	}
	t, err := decode(m)
	if err != nil {
		return 0, err
	}
	rows, err := ipc.NewReader(r.Body)
	if err != nil {
		return 0, fmt.Errorf("import: %w", err)
	}
	defer rows.Release()
	loaded, err = h.local.Load(r.Context(), t, &wholeBody{RecordReader: rows, body: r.Body})
	if err == nil {
		h.logger.Info("import done", "table", t.Database+"."+t.Table, "rows", loaded)
	}
	return loaded, err
}

// wholeBody is a reader that has ended only when the request has: a client that dies half-way must not commit half.
type wholeBody struct {
	array.RecordReader
	body io.Reader
	err  error
}

func (w *wholeBody) Next() bool {
	if w.RecordReader.Next() {
		return true
	}
	if w.RecordReader.Err() == nil {
		if _, err := io.Copy(io.Discard, w.body); err != nil {
			w.err = fmt.Errorf("the import was broken off: %w", err)
		}
	}
	return false
}

func (w *wholeBody) Err() error {
	if err := w.RecordReader.Err(); err != nil {
		return err
	}
	return w.err
}

func reply(w http.ResponseWriter, m message) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(m)
}

func encode(t *Target) (message, error) {
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(arrow.NewSchema(t.Fields, nil)))
	if err := w.Close(); err != nil {
		return message{}, err
	}
	return message{
		Database: t.Database, Table: t.Table, Schema: buf.Bytes(), AutoIncrement: t.AutoIncrement,
		Defaults: t.Defaults, PrimaryKey: t.PrimaryKey, Create: t.Create,
	}, nil
}

func decode(m message) (*Target, error) {
	r, err := ipc.NewReader(bytes.NewReader(m.Schema))
	if err != nil {
		return nil, fmt.Errorf("import: schema: %w", err)
	}
	defer r.Release()
	return &Target{
		Database: m.Database, Table: m.Table, Fields: r.Schema().Fields(), AutoIncrement: m.AutoIncrement,
		Defaults: m.Defaults, PrimaryKey: m.PrimaryKey, Create: m.Create,
	}, nil
}

// Remote loads through the socket of the server that holds a data directory.
type Remote struct {
	client *http.Client
}

// Dial finds the server of a data directory.
func Dial(dir string) (*Remote, error) {
	path := filepath.Join(dir, socketName)
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	_ = conn.Close()
	return &Remote{client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}}, nil
}

// Close drops the connection.
func (r *Remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// Target describes an existing table.
func (r *Remote) Target(ctx context.Context, database, table string) (*Target, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://almanac/target", nil)
	if err != nil {
		return nil, err
	}
	q := req.URL.Query()
	q.Set("database", database)
	q.Set("table", table)
	req.URL.RawQuery = q.Encode()
	m, err := r.do(req)
	if err != nil {
		return nil, err
	}
	return decode(m)
}

// Load streams the rows to the server, which commits them.
func (r *Remote) Load(ctx context.Context, t *Target, rows array.RecordReader) (int64, error) {
	m, err := encode(t)
	if err != nil {
		return 0, err
	}
	header, err := json.Marshal(m)
	if err != nil {
		return 0, err
	}
	body, out := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		w := ipc.NewWriter(out, ipc.WithSchema(rows.Schema()))
		err := func() error {
			for rows.Next() {
				if err := w.Write(rows.RecordBatch()); err != nil {
					return err
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
			return w.Close()
		}()
		_ = out.CloseWithError(err) // nil ends the body; an error breaks it off
		sent <- err
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://almanac/load", body)
	if err != nil {
		return 0, err
	}
	req.Header.Set(targetHeader, base64.StdEncoding.EncodeToString(header))
	answer, err := r.do(req)
	_ = body.CloseWithError(io.ErrClosedPipe) // frees the sender if the server answered early
	if sendErr := <-sent; sendErr != nil && !errors.Is(sendErr, io.ErrClosedPipe) {
		return 0, sendErr // the file's own mistake says more than the broken request
	}
	return answer.Loaded, err
}

func (r *Remote) do(req *http.Request) (message, error) {
	res, err := r.client.Do(req)
	if err != nil {
		return message{}, fmt.Errorf("talking to the server of this data directory: %w", err)
	}
	return answer(res)
}

// answer reads an answer that is one message.
func answer(res *http.Response) (message, error) {
	defer res.Body.Close()
	var m message
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		return message{}, fmt.Errorf("the server's answer (%s): %w", res.Status, err)
	}
	switch {
	case m.NoTable:
		return m, &remoteError{m.Error, storage.ErrNoTable}
	case m.NoDatabase:
		return m, &remoteError{m.Error, storage.ErrNoDatabase}
	case m.Error != "":
		return m, errors.New(strings.TrimSpace(m.Error))
	}
	return m, nil
}

// remoteError is a server's error of a kind that callers ask for.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }
