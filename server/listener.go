package server

import (
	"net"
	"time"

	"github.com/dolthub/vitess/go/mysql"
)

// limitedListener answers a client that comes when all connections are taken, which else would only see its connection
// closed and could not tell a busy server from a dead one.
type limitedListener struct {
	net.Listener
	full func() bool
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.full() {
			return conn, err
		}
		go refuse(conn)
	}
}

// refuse sends error 1040 in place of the greeting. SQLSTATEs are not agreed on yet at that point of the protocol.
func refuse(conn net.Conn) {
	const message = "Too many connections"
	packet := []byte{byte(3 + len(message)), 0, 0, 0, mysql.ErrPacket, byte(mysql.ERConCount & 0xff), byte(mysql.ERConCount >> 8)}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(append(packet, message...))
	_ = conn.Close()
}
