package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// errSilent is a server that has not let us in for as long as we wait.
var errSilent = errors.New("the server does not answer")

// A connector tells whose patience has ended: that of a caller is the end of the
// context, ours with a server makes it unavailable. pgx may call either one or the
// other, as a timer of the dialer or one of the context goes off first.
type connector struct{ driver.Connector }

// Connect fails with context.DeadlineExceeded if, and only if, that has passed.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	deadline, bounded := ctx.Deadline()
	switch {
	case err == nil:
		return conn, nil
	case bounded && !time.Now().Before(deadline):
		return nil, fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%w: %s", errSilent, err.Error()) // not wrapped: it says what it is not
	default:
		return nil, err
	}
}
