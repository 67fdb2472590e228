package server

import (
	"context"

	"github.com/almanacdb/almanac/server/bulk"
)

// openImportSocket lets `almanac import` hand rows to this server while it holds the data directory. A path too long for a
// socket, or a file system without them, costs only that.
func (s *Server) openImportSocket() {
	socket, err := bulk.Listen(s.config.DataDir, bulk.NewLocal(s.db), s.logger)
	if err != nil {
		s.logger.Warn("almanac import will not work while this server runs", "error", err)
		return
	}
	s.imports = socket
}

// closeImportSocket ends what still loads once ctx has ended; such loads leave nothing behind.
func (s *Server) closeImportSocket(ctx context.Context) {
	if s.imports == nil {
		return
	}
	if err := s.imports.Close(ctx); err != nil {
		s.logger.Warn("an import was cut off", "error", err)
	}
}
