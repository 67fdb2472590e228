//go:build unix

package loaddata

import (
	"errors"
	"net"
	"syscall"
)

// clientGone tells whether a client that should be waiting for an answer has left. A connection that ends in the middle of a
// file looks like the file's end to the protocol, and half a file must not be loaded.
func clientGone(c net.Conn) bool {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	raw, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	// Control and not Read, which would wait for whoever reads the connection now.
	err = control.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		// A waiting client has sent nothing and closed nothing.
		gone = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	})
	return err != nil || gone
}
