package pgproxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// headerSize is that of a message: its type, and its length without the type.
	headerSize = 5
	// maxMessage bounds a message, in bytes.
	maxMessage = 64 << 20
)

var errMessage = errors.New("not a message of the protocol")

// A line is one connection through the proxy.
type line struct {
	proxy          *Proxy
	client, server net.Conn
	inTransaction  atomic.Bool
}

// run returns when either end has gone.
func (l *line) run() {
	var both sync.WaitGroup
	for _, pass := range []func() error{l.toServer, l.toClient} {
		both.Go(func() {
			defer l.close()
			_ = pass() // how a connection ends is of no interest
		})
	}
	both.Wait()
}

func (l *line) close() {
	_, _ = l.client.Close(), l.server.Close() // the other end notices
}

// toServer passes on what the client says, until it is cut.
func (l *line) toServer() error {
	client := bufio.NewReader(l.client)
	if err := passStart(l.server, client); err != nil {
		return err
	}
	for {
		message, err := next(client)
		if err != nil {
			return err
		}
		if cut := l.cutBefore(message); cut != nil {
			l.proxy.do(cut, l.inTransaction.Load())
			return nil
		}
		if _, err := l.server.Write(message); err != nil {
			return err
		}
	}
}

func (l *line) cutBefore(message []byte) *Cut {
	var query pgproto3.Query
	if message[0] != 'Q' || query.Decode(message[headerSize:]) != nil {
		return nil
	}
	return l.proxy.take(func(m Moment) bool { return m.isBefore(query.String) })
}

// toClient passes on what the server says. A statement with arguments is
// committed after the server has told its tag: the cut waits for what follows.
func (l *line) toClient() error {
	server := bufio.NewReader(l.server)
	var due *Cut
	for {
		message, err := next(server)
		if err != nil {
			return err
		}
		ready := l.isReady(message)
		if cut := l.cutAfter(message); cut != nil {
			due = cut
		}
		switch {
		case due == nil:
			if _, err := l.client.Write(message); err != nil {
				return err
			}
		case ready:
			l.proxy.do(due, l.inTransaction.Load())
			return nil
		}
	}
}

func (l *line) cutAfter(message []byte) *Cut {
	var complete pgproto3.CommandComplete
	if message[0] != 'C' || complete.Decode(message[headerSize:]) != nil {
		return nil
	}
	return l.proxy.take(func(m Moment) bool { return m.isAfter(complete.CommandTag) })
}

// isReady reports the end of an answer, which also tells of the transaction.
func (l *line) isReady(message []byte) bool {
	var ready pgproto3.ReadyForQuery
	if message[0] != 'Z' || ready.Decode(message[headerSize:]) != nil {
		return false
	}
	l.inTransaction.Store(ready.TxStatus == 'T')
	return true
}

// passStart passes on the first message, the one without a type.
func passStart(server io.Writer, client io.Reader) error {
	length := make([]byte, headerSize-1)
	if _, err := io.ReadFull(client, length); err != nil {
		return err
	}
	rest := int64(binary.BigEndian.Uint32(length)) - int64(len(length))
	if rest < 0 || rest > maxMessage {
		return errMessage
	}
	if _, err := server.Write(length); err != nil {
		return err
	}
	_, err := io.CopyN(server, client, rest)
	return err
}

// next reads a whole message.
func next(from *bufio.Reader) ([]byte, error) {
	header, err := from.Peek(headerSize)
	if err != nil {
		return nil, err
	}
	length := int64(binary.BigEndian.Uint32(header[1:]))
	if length < headerSize-1 || length > maxMessage {
		return nil, errMessage
	}
	message := make([]byte, 1+length)
	_, err = io.ReadFull(from, message)
	return message, err
}
