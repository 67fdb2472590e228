package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/export"
)

// Headers of an answer that is a stream. A stream without doneTrailer has been cut off.
const (
	rowsHeader   = "Almanac-Rows"
	doneTrailer  = "Almanac-Done"
	errorTrailer = "Almanac-Error"
)

// stream answers a request with bytes of unknown length, and tells at their end whether they are all. write is called once; what it
// returns as error before its first byte becomes a plain error answer.
func (h *loads) stream(w http.ResponseWriter, what string, write func(io.Writer) error) {
	w.Header().Set("Trailer", doneTrailer+", "+errorTrailer)
	out := &startedWriter{w: w}
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%s: %v", what, p)
			}
		}()
		return write(out)
	}()
	switch {
	case err == nil:
		w.Header().Set(doneTrailer, "1")
	case !out.started:
		w.Header().Del("Trailer")
		reply(w, message{Error: err.Error(), NoTable: errors.Is(err, storage.ErrNoTable), NoDatabase: errors.Is(err, storage.ErrNoDatabase)})
	default:
		h.logger.Warn(what+" broken off", "error", err)
		w.Header().Set(errorTrailer, strings.Join(strings.Fields(err.Error()), " "))
	}
}

type startedWriter struct {
	w       io.Writer
	started bool
}

func (s *startedWriter) Write(p []byte) (int, error) {
	s.started = true
	return s.w.Write(p)
}

// export answers GET /export?database=…&table=…&column=…: the rows as an Arrow IPC stream, which begins with the schema.
func (h *loads) export(w http.ResponseWriter, r *http.Request) {
	h.stream(w, "export", func(out io.Writer) error {
		rows, err := h.local.Export(r.Context(), r.FormValue("database"), r.FormValue("table"), r.Form["column"])
		if err != nil {
			return err
		}
		defer rows.Release()
		w.Header().Set("Content-Type", "application/vnd.apache.arrow.stream")
		w.Header().Set(rowsHeader, strconv.FormatInt(rows.Rows, 10))
		iw := ipc.NewWriter(out, ipc.WithSchema(rows.Schema()))
		for rows.Next() {
			b, err := export.Plain(rows.RecordBatch(), rows.Schema(), memory.DefaultAllocator)
			if err != nil {
				return err
			}
			err = iw.Write(b)
			b.Release()
			if err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return iw.Close()
	})
}

// get starts a streamed answer; its body fails at the end if the server did not say that it was all.
func (r *Remote) get(ctx context.Context, path string, q url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://almanac/"+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("talking to the server of this data directory: %w", err)
	}
	if res.Header.Get("Content-Type") == "application/json" {
		_, err := answer(res)
		if err == nil {
			err = errors.New("the server gave no answer")
		}
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, fmt.Errorf("the server of this data directory answers %s to %s: is it an older version?", res.Status, path)
	}
	res.Body = &wholeAnswer{ReadCloser: res.Body, res: res}
	return res, nil
}

type wholeAnswer struct {
	io.ReadCloser
	res *http.Response
}

func (a *wholeAnswer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		if text := a.res.Trailer.Get(errorTrailer); text != "" {
			return n, errors.New(text)
		}
		if a.res.Trailer.Get(doneTrailer) == "" {
			return n, errors.New("the server broke off")
		}
	}
	return n, err
}

// Export implements Exporter.
func (r *Remote) Export(ctx context.Context, database, table string, columns []string) (*Export, error) {
	res, err := r.get(ctx, "export", url.Values{"database": {database}, "table": {table}, "column": columns})
	if err != nil {
		return nil, err
	}
	rows, err := ipc.NewReader(res.Body)
	if err != nil {
		_ = res.Body.Close()
		return nil, fmt.Errorf("export: %w", err)
	}
	out := &Export{RecordReader: &remoteReader{RecordReader: rows, body: res.Body}}
	out.Rows, _ = strconv.ParseInt(res.Header.Get(rowsHeader), 10, 64)
	return out, nil
}

// remoteReader ends well only if the whole answer did: Arrow takes the end of a stream for the end of its rows.
type remoteReader struct {
	array.RecordReader
	body io.ReadCloser
	err  error
}

func (r *remoteReader) Next() bool {
	if r.err != nil {
		return false
	}
	if r.RecordReader.Next() {
		return true
	}
	if r.RecordReader.Err() == nil {
		_, r.err = io.Copy(io.Discard, r.body)
	}
	return false
}

func (r *remoteReader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.RecordReader.Err()
}

func (r *remoteReader) Release() {
	r.RecordReader.Release()
	_ = r.body.Close()
}

// dump answers GET /dump?database=…&drop=1&nodata=1 with SQL.
func (h *loads) dump(w http.ResponseWriter, r *http.Request) {
	h.stream(w, "dump", func(out io.Writer) error {
		w.Header().Set("Content-Type", "application/sql")
		return h.local.Dump(r.Context(), out, DumpOptions{Drop: r.FormValue("drop") != "", NoData: r.FormValue("nodata") != "", Databases: r.Form["database"]})
	})
}

// Dump implements Dumper.
func (r *Remote) Dump(ctx context.Context, w io.Writer, o DumpOptions) error {
	q := url.Values{"database": o.Databases}
	if o.Drop {
		q.Set("drop", "1")
	}
	if o.NoData {
		q.Set("nodata", "1")
	}
	res, err := r.get(ctx, "dump", q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(w, res.Body)
	return err
}
