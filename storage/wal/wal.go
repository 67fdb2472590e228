// Package wal is the append log of committed transactions. A record is a transaction; its content is the caller's.
//
// Telling a torn tail from damage: records are written before they are synced, so a crash may leave any mixture of old and new bytes
// after the last sync. Each record therefore carries the offset up to which the file was synced when the record was written. A bad
// record at offset x was once durable, and is damage, if any later record says that the file was durable beyond x; otherwise it was
// never acknowledged, and the log ends there.
package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/vfs"
)

const (
	// Version is the format version written, and the only one read.
	Version = 1

	magic        = "ALMLOG\r\n"
	headerBytes  = HeaderBytes // magic, u32 version, u64 first sequence number, u32 crc32c of the bytes before
	recordMagic  = "ALMR"
	recordHeader = 28 // record magic, u32 length, u64 sequence number, u64 durable offset, u32 crc32c of these but the magic and the payload
	// MaxRecord is the greatest length of a payload.
	MaxRecord = 1 << 30
)

// ErrTooLong says that a transaction does not fit a record.
var ErrTooLong = errors.New("transaction is too large for one log record")

// HeaderBytes is the length of a log without records.
const HeaderBytes = 24

// Log is a log open for appending. Not safe for concurrent use.
type Log struct {
	file    vfs.File
	size    int64 // of whole records and header
	durable int64
	buf     []byte
	broken  error
}

// Create starts a log whose first record will have sequence number first, and syncs its header. Syncing the directory is the caller's.
func Create(fsys vfs.FS, name string, first uint64) (*Log, error) {
	f, err := fsys.Create(name)
	if err != nil {
		return nil, err
	}
	h := append([]byte(magic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(h[8:], Version)
	h = binary.LittleEndian.AppendUint64(h, first)
	h = binary.LittleEndian.AppendUint32(h, binenc.Checksum(h))
	if _, err = f.Write(h); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Log{file: f, size: headerBytes, durable: headerBytes}, nil
}

// Record is one transaction.
type Record struct {
	Seq     uint64
	Payload []byte
}

// Append writes records and syncs. When it fails, none of them is in the log and the log can go on, unless Broken says otherwise: then
// nobody knows whether the records are there.
func (l *Log) Append(records []Record) error {
	if l.broken != nil {
		return l.broken
	}
	l.buf = l.buf[:0]
	for _, r := range records {
		if len(r.Payload) > MaxRecord {
			return ErrTooLong
		}
		start := len(l.buf)
		l.buf = append(l.buf, recordMagic...)
		l.buf = binary.LittleEndian.AppendUint32(l.buf, uint32(len(r.Payload)))
		l.buf = binary.LittleEndian.AppendUint64(l.buf, r.Seq)
		l.buf = binary.LittleEndian.AppendUint64(l.buf, uint64(l.durable))
		l.buf = binary.LittleEndian.AppendUint32(l.buf, binenc.Checksum(l.buf[start+4:], r.Payload))
		l.buf = append(l.buf, r.Payload...)
	}
	_, err := l.file.Write(l.buf)
	written := int64(len(l.buf))
	if cap(l.buf) > 1<<20 {
		l.buf = nil
	}
	if err != nil {
		// A full disk: take back the part that was written.
		if terr := l.file.Truncate(l.size); terr != nil {
			l.broken = fmt.Errorf("log could not be cut back after a failed write: %w", errors.Join(err, terr))
		}
		return err
	}
	if err := l.file.Sync(); err != nil {
		// After a failed sync the kernel may have dropped the pages, and a second sync would succeed without them.
		l.broken = fmt.Errorf("log could not be synced: %w", err)
		return l.broken
	}
	l.size += written
	l.durable = l.size
	return nil
}

// Size returns the length of the log in bytes.
func (l *Log) Size() int64 { return l.size }

// Broken returns why the log takes no more records, or nil.
func (l *Log) Broken() error { return l.broken }

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// DamageError says where a log is damaged.
type DamageError struct {
	Offset int64
	What   string
}

func (e *DamageError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.What) }

// Contents is what Parse found in a log.
type Contents struct {
	// First is the sequence number that the first record has or would have; 0 when the log ended before its header was durable.
	First   uint64
	Records []Record
	// Offsets of the records.
	Offsets []int64
	// Torn is the offset of an unfinished write at the end, or -1.
	Torn int64
}

// Parse reads the bytes of a log. Payloads share memory with data. A torn tail is no error; damage is a *DamageError.
func Parse(data []byte) (*Contents, error) {
	c := &Contents{Torn: -1}
	end := func(off int64, what string) (*Contents, error) {
		if durableBeyond(data, off) {
			return c, &DamageError{off, what}
		}
		c.Torn = off
		return c, nil
	}
	if len(data) < headerBytes || string(data[:8]) != magic {
		return end(0, "not a log file")
	}
	if binenc.Checksum(data[:20]) != binary.LittleEndian.Uint32(data[20:]) {
		return end(0, "log header has a wrong checksum")
	}
	if v := binary.LittleEndian.Uint32(data[8:]); v != Version {
		return c, &DamageError{8, fmt.Sprintf("log has format version %d; this program reads version %d", v, Version)}
	}
	c.First = binary.LittleEndian.Uint64(data[12:])
	next := c.First
	for off := int64(headerBytes); off < int64(len(data)); {
		r, _, n := parseRecord(data[off:])
		if n == 0 {
			return end(off, "record has a wrong checksum or length")
		}
		if r.Seq != next {
			return c, &DamageError{off, fmt.Sprintf("record has sequence number %d, expected %d", r.Seq, next)}
		}
		next++
		c.Records = append(c.Records, r)
		c.Offsets = append(c.Offsets, off)
		off += n
	}
	return c, nil
}

// parseRecord reads the record at the start of b; n is its whole length, 0 when there is no sound record.
func parseRecord(b []byte) (r Record, durable uint64, n int64) {
	if len(b) < recordHeader || string(b[:4]) != recordMagic {
		return r, 0, 0
	}
	length := binary.LittleEndian.Uint32(b[4:])
	if length > MaxRecord || int64(length) > int64(len(b)-recordHeader) {
		return r, 0, 0
	}
	payload := b[recordHeader : recordHeader+int(length)]
	if binenc.Checksum(b[4:24], payload) != binary.LittleEndian.Uint32(b[24:]) {
		return r, 0, 0
	}
	return Record{binary.LittleEndian.Uint64(b[8:]), payload}, binary.LittleEndian.Uint64(b[16:]), recordHeader + int64(length)
}

// durableBeyond says whether a sound record after off shows that the bytes at off were synced.
func durableBeyond(data []byte, off int64) bool {
	for from := off; ; {
		i := bytes.Index(data[from:], []byte(recordMagic))
		if i < 0 {
			return false
		}
		from += int64(i)
		if _, durable, n := parseRecord(data[from:]); n > 0 {
			if durable > uint64(off) && durable <= math.MaxInt64 {
				return true
			}
			from += n
			continue
		}
		from++
	}
}
