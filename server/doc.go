// Package server is clientsd: it puts the parts together and serves them on one
// port. This comment is the architecture note.
//
// # The parts
//
//	main.go             the command line: flags to values, signals, exit code
//	server/command      what each command does
//	server              configuration, listener, routes, the RPC handlers, and
//	                    the one table from domain error to Connect code
//	server/auth         access token to caller; procedure to scope
//	server/reqctx         which call this is, and who makes it
//	server/oauthclient  the domain: clients and the rotation of their secrets
//	server/secret       generate, digest, compare, seal: where plaintext is
//	server/logo         image checks and re-encoding
//	server/api/zitadel      ZITADEL's API of the rotation
//	server/api/vigilo       Vigilo's API of the rotation
//	server/api/openapi      the description of the API that is served
//	server/throttle     slows down who fails too often
//	server/denial       folds denied attempts in the log
//	server/issuer       the built-in issuer of access tokens
//	server/reencrypt        seals everything anew with another key
//	server/storage      opens keyset and database, in the order that is safe
//	server/database     pools, transactions, migrations: where a driver is named
//	server/backup       a copy of an embedded database, and what is made of it
//	server/rollback     the mark of a database that was restored
//	server/telemetry    metrics, traces, dashboard, alerts, and what may be in them
//	server/servertest   the real server, for tests
//	server/systemtest/linearizable histories of many callers, judged by a model (tests)
//	server/systemtest/faults       crashes under load, judged by what was promised (tests)
//
// Imports only go down: main, command, server, the APIs, then the domain, then
// secret and ent. The domain knows no wire and the authentication no database; a test over
// `go list -deps` keeps it so.
//
// # A call
//
// A request gets its id, is measured and traced, meets CORS and the security
// headers, and is routed. If it is a call to a service, net/http middleware then
// bounds how many run at once, verifies the access token and bounds the body,
// all before a byte of the body is read: Connect inflates a body before any
// interceptor runs. Then
// Connect decodes the message and the interceptors run, from the outside in:
// the error table, the scope, the message's own rules (protovalidate), the
// deadline. The order of the checks is therefore token, scope, rules, look-up:
// nobody learns by a missing scope what exists, and a client of another
// organisation is to the byte a client that does not exist.
//
// A handler converts, calls the domain and converts back.
//
// # A rotation
//
// The row of a client carries its secret: a digest to verify with and a sealed
// copy to show. A rotation makes both before its transaction begins; the
// transaction is one conditional UPDATE … RETURNING on that row and the INSERT
// of the event. It is atomic and linearizable because the database makes it so:
// nothing is read first and written later, and there is no cache in front of a
// verification.
//
// A rotation may leave the secret it replaces valid for a time: the UPDATE moves
// the digest to a second column with its end beside it, and a verification
// compares with both. The next rotation overwrites that column, so there is at
// most one. A call with an idempotency key looks for the key first and stores it
// last, in the same transaction: what is remembered is which version the call
// has made, never the secret. A repetition opens the current secret if it still
// is that version.
//
// # A transaction
//
// Every mutation is a function of a transaction, which server/database runs
// as a tx.Transactor. How differs:
//
// On SQLite there is one writer. The functions that wait for it share one
// transaction, and so one wait for the disk; nobody is answered before its
// commit. If one of them fails, all are rolled back and each is run alone.
//
// On PostgreSQL a function has a transaction of its own, and is run again if that
// was rolled back for the sake of another one. Rotations that come while others
// are under way are made by one statement in one transaction, which takes two
// round trips for all of them; clients that somebody else is changing are left
// out of it. Whatever cannot be made so is made alone. When the answer to a COMMIT is
// lost, the server is asked on another connection what became of it; a driver's
// opinion that an error is safe to retry is never taken. If nobody can tell, the
// answer says so: repeat the call with its idempotency key, or look.
//
// Decisions and their dates are in docs/decisions.md.
package server
