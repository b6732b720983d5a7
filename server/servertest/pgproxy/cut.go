package pgproxy

import "strings"

// A Moment is when something is done to a connection.
type Moment struct{ query, tag string }

// Before names the moment when a query of this text, without arguments, has been sent and has
// not yet reached the server.
func Before(query string) Moment { return Moment{query: query} }

// After names the moment when the server has executed a command whose tag begins like this, and
// has committed it if it was not part of a transaction, and nothing that says so
// has reached the client.
func After(tag string) Moment { return Moment{tag: tag} }

// BeforeCommit names the moment before what pgx sends to commit.
func BeforeCommit() Moment { return Before("commit") }

// AfterCommit names the moment after the answer of the server to that.
func AfterCommit() Moment { return After("COMMIT") }

func (m Moment) isBefore(query string) bool {
	return m.query != "" && strings.EqualFold(m.query, query)
}

func (m Moment) isAfter(tag []byte) bool { return m.tag != "" && strings.HasPrefix(string(tag), m.tag) }

// A Cut is one that was ordered. There is one at a time: the last.
type Cut struct {
	proxy    *Proxy
	moment   Moment
	lines    int // how many are cut together
	lineDown bool

	taken, arrived int // guarded by the proxy
	happened       chan struct{}
	inTransaction  bool
}

// CutOnce cuts the next connection that comes to a moment.
func (p *Proxy) CutOnce(m Moment) *Cut { return p.order(&Cut{moment: m, lines: 1}) }

// CutTogether holds connections that come to a moment until there are so many,
// and then takes the whole line down.
func (p *Proxy) CutTogether(m Moment, lines int) *Cut {
	return p.order(&Cut{moment: m, lines: lines, lineDown: true})
}

// Happened reports whether it was done.
func (c *Cut) Happened() bool {
	select {
	case <-c.happened:
		return true
	default:
		return false
	}
}

// Holds reports whether a connection is at the moment and waits for others.
func (c *Cut) Holds() bool {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	return c.arrived > 0 && c.arrived < c.lines
}

// InTransaction reports whether a transaction was open on the connection, as the
// server sees it. It may be asked once the cut has happened.
func (c *Cut) InTransaction() bool { return c.inTransaction }

func (p *Proxy) order(c *Cut) *Cut {
	c.proxy, c.happened = p, make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = c
	return c
}

// take returns the cut that is due, or nil.
func (p *Proxy) take(isDue func(Moment) bool) *Cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut == nil || p.cut.taken == p.cut.lines || !isDue(p.cut.moment) {
		return nil
	}
	p.cut.taken++
	return p.cut
}

// do returns when the cut has happened, or the test has ended.
func (p *Proxy) do(c *Cut, inTransaction bool) {
	if p.isLast(c, inTransaction) && c.lineDown {
		p.Down()
	}
	select {
	case <-c.happened:
	case <-p.ended:
	}
}

// isLast lets the cut happen if nobody has to be waited for any more. From then
// on the line is down, for those too who are cut one after the other.
func (p *Proxy) isLast(c *Cut, inTransaction bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.arrived++; c.arrived < c.lines {
		return false
	}
	p.down = p.down || c.lineDown
	c.inTransaction = inTransaction
	close(c.happened)
	return true
}
