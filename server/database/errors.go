package database

import (
	"database/sql/driver"
	"errors"

	"github.com/mattn/go-sqlite3"
)

// Failure is what went wrong in the database, as far as a caller can act on it.
type Failure int

const (
	// Unknown is everything not below.
	Unknown Failure = iota
	// Unavailable is a lock held too long, a full or failing disk, a lost
	// connection: the same call may succeed later. Nothing was changed.
	Unavailable
	// Interrupted is a call whose deadline passed or whose caller went away.
	Interrupted
	// Corrupt is a database file that is not, or is no longer, what SQLite wrote.
	Corrupt
)

// Classify tells what err, as a query or a commit returned it, means.
func Classify(err error) Failure {
	if errors.Is(err, driver.ErrBadConn) {
		return Unavailable
	}
	var failure sqlite3.Error
	if !errors.As(err, &failure) {
		return Unknown
	}
	switch failure.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrReadonly:
		return Unavailable
	case sqlite3.ErrInterrupt:
		return Interrupted
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return Corrupt
	default:
		return Unknown
	}
}
