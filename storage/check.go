package storage

import "github.com/almanacdb/almanac/storage/vfs"

func Check(dir string, fs vfs.FS, report func(Problem)) error { return nil }
