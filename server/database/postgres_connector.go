package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// errConnectTimeout reports that our own connect timeout has passed.
var errConnectTimeout = errors.New("the server does not answer")

// A connector distinguishes the caller's deadline from our connect timeout: the
// first is the end of the context, the second means that the server is unavailable.
// pgx may report either as the other, depending on which timer fires first.
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
		return nil, fmt.Errorf("%w: %s", errConnectTimeout, err.Error()) // not wrapped: it says what it is not
	default:
		return nil, err
	}
}
