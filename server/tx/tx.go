// Package tx runs transactions. It owns how a transaction begins and ends, and
// the two ways in which one can end that its caller must know about.
//
// It must not know a driver, a table or a kind of database: what runs inside a
// transaction comes from its callers, and server/database decides what can be
// run again.
package tx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"clientsd/ent"
)

// Body is the work of a transaction. It runs its statements with the ctx it gets,
// which is the caller's, but may not end with it: a statement that is interrupted
// can end a transaction that others share.
type Body func(ctx context.Context, tx *ent.Tx) error

// A Transactor runs body in a transaction, as [InTx] does. It may run body more
// than once, after a transaction that is known to be rolled back: body must
// start from the beginning each time. Its error wraps ErrConflict or
// ErrOutcomeUnknown if that is how the transaction ended.
type Transactor func(ctx context.Context, body Body) error

// A StatementTransactor runs a transaction of one statement. It may call read
// more than once. Its errors are those of a Transactor.
type StatementTransactor func(ctx context.Context, query string, args []any, read func(ent.Rows) error) error

var (
	// ErrConflict reports that each attempt was rolled back because of another
	// transaction. Nothing was changed.
	ErrConflict = errors.New("other transactions stood in the way")
	// ErrOutcomeUnknown reports that the answer to the commit was lost and that
	// the database could not be asked for it. The transaction may be committed.
	ErrOutcomeUnknown = errors.New("the answer to the commit was lost")
)

// InTx runs body in one transaction. It commits if body returns nil and rolls
// back otherwise, also when body panics. It returns the error of body unchanged,
// except one that says only that the transaction is over: InTx adds the reason.
func InTx(ctx context.Context, client *ent.Client, body Body) error {
	tx, err := client.Tx(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// After a commit this does nothing. Nobody can act on a failure: the database
	// rolls back by itself when the connection closes.
	defer tx.Rollback() //nolint:errcheck // see above
	if err := body(ctx, tx); err != nil {
		return withReason(ctx, err)
	}
	if err := tx.Commit(); err != nil {
		return withReason(ctx, fmt.Errorf("commit: %w", err))
	}
	return nil
}

// withReason adds why the context ended. When a context ends database/sql rolls
// back by itself, and the next call says only that the transaction is over.
func withReason(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}
