package loaddata

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// openFile opens the statement's file: the client's, or one of the server that secure_file_priv allows.
func openFile(ctx *sql.Context, name string, local bool) (io.ReadCloser, error) {
	if local {
		if _, on, ok := sql.SystemVariables.GetGlobal("local_infile"); ok && on == int8(0) {
			return nil, mysql.NewSQLError(3948, "42000", "Loading local data is disabled; this must be enabled on both the client and server sides\nFix: SET GLOBAL local_infile = 1")
		}
		return ctx.LoadInfile(name)
	}
	_, value, _ := sql.SystemVariables.GetGlobal("secure_file_priv")
	dir, _ := value.(string)
	path, err := allowedPath(dir, name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, mysql.NewSQLError(29, "HY000", "File '%s' not found (OS errno 2 - No such file or directory)", name)
	case err != nil:
		return nil, mysql.NewSQLError(29, "HY000", "File '%s' cannot be read: %v", name, err)
	}
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		_ = f.Close()
		return nil, mysql.NewSQLError(29, "HY000", "'%s' is not a file", name)
	}
	return f, nil
}

// allowedPath finds a file of the server inside of dir, links resolved; relative names count from there. An empty dir allows
// every file.
func allowedPath(dir, name string) (string, error) {
	if dir == "" {
		return name, nil
	}
	refused := mysql.NewSQLError(erSecureFilePriv, "HY000", "The MySQL server is running with the --secure-file-priv option so it cannot execute this statement\n"+
		"Fix: put the file into the directory that SELECT @@secure_file_priv shows, or LOAD DATA LOCAL INFILE from the client")
	root, err := filepath.Abs(dir)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return "", refused
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	// What is not there is named as missing only if it could have been read.
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil || !inside(root, folder) {
		return "", refused
	}
	path = filepath.Join(folder, filepath.Base(path))
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		if !inside(root, resolved) {
			return "", refused
		}
		path = resolved
	}
	return path, nil
}

func inside(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// decoded gives the text of a file in UTF-8. An empty name is UTF-8.
func decoded(r io.Reader, charset string) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "", "utf8", "utf8mb3", "utf8mb4", "ascii", "binary":
		return r, nil
	}
	enc, ok := encodings[strings.ToLower(charset)]
	if !ok {
		return nil, mysql.NewSQLError(1115, "42000", "Unknown character set: '%s'\nFix: convert the file to UTF-8 and use CHARACTER SET utf8mb4", charset)
	}
	return enc.NewDecoder().Reader(r), nil
}

// encodings are MySQL's character sets. Its latin1 is Windows-1252.
var encodings = map[string]encoding.Encoding{
	"latin1": charmap.Windows1252, "latin2": charmap.ISO8859_2, "latin5": charmap.ISO8859_9, "latin7": charmap.ISO8859_13,
	"cp1250": charmap.Windows1250, "cp1251": charmap.Windows1251, "cp1256": charmap.Windows1256, "cp1257": charmap.Windows1257,
	"cp850": charmap.CodePage850, "cp852": charmap.CodePage852, "cp866": charmap.CodePage866,
	"greek": charmap.ISO8859_7, "hebrew": charmap.ISO8859_8, "koi8r": charmap.KOI8R, "koi8u": charmap.KOI8U, "macroman": charmap.Macintosh,
	"tis620": charmap.Windows874,
	"sjis":   japanese.ShiftJIS, "cp932": japanese.ShiftJIS, "ujis": japanese.EUCJP, "eucjpms": japanese.EUCJP,
	"euckr": korean.EUCKR, "big5": traditionalchinese.Big5,
	"gb2312": simplifiedchinese.GBK, "gbk": simplifiedchinese.GBK, "gb18030": simplifiedchinese.GB18030,
	"utf16": unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "ucs2": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"utf16le": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
}
