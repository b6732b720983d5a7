package tx

// A Failure is the class of an error of the database. It says what a caller can
// do about the error.
type Failure int

const (
	// Unclassified is every error that is in no class below. The end of a context
	// is here too: it is the caller's error, not the database's.
	Unclassified Failure = iota
	// Unavailable is a lock held too long, a full or failing disk, a lost
	// connection, or a server that starts, stops or is not the primary. Nothing was
	// changed, and the same call may succeed later.
	Unavailable
	// Conflict is a transaction that was rolled back because of another one.
	Conflict
	// Interrupted is a statement that the database ended because it took too long.
	Interrupted
	// Corrupt is stored data that is not, or is no longer, what the database wrote.
	Corrupt
	// OutcomeUnknown is a commit that may or may not have taken place.
	OutcomeUnknown
)
