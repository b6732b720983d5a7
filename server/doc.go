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
//	server/api/zitadel      ZITADEL's face of the rotation
//	server/api/vigilo       Vigilo's face of the rotation
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
// Imports only go down: main, command, server, the faces, then the domain, then
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
// ([entgo.io/ent] knows it as ent.Transactor). How differs:
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
// # Decisions
//
//   - Transactions on SQLite share commits now, which the design had put off: a
//     rotation costs a quarter of a millisecond of processor and as much of
//     waiting for the disk. With a commit each, eight callers rotated at a third
//     of the rate of bare updates; together, at six tenths of it or more.
//   - On PostgreSQL only rotations do. To run functions one after the other in one
//     transaction would hold the locks of the first through the round trips of the
//     last, and two replicas could hold what the other one wants. One statement has
//     neither fault, and 32 callers rotate at two fifths of pgbench's rate, not at a
//     seventh.
//   - On PostgreSQL the time that is stored, and by which a previous secret ends,
//     is the server's: replicas agree on it whatever their own clocks say.
//   - A call that brings no deadline gets 4 s, where the design had 10: when the
//     database does not answer, a caller is to hear of it within five.
//   - No read goes to a standby, and there is no cache to invalidate: a replica
//     answers from the primary, so it cannot accept what another one has replaced.
//   - A new database is made under another name and linked to its own when it is
//     whole, with the check of its keyset inside: a database that has its name
//     has everything, and one that meets a wrong keyset is not touched.
//   - The built-in issuer is named by a URN that is made with its first key: the
//     service does not know under which URL its callers reach it, and a token
//     must stay valid when that URL changes.
//   - A verified token is remembered by its SHA-256, because verifying it anew
//     costs as much as the rest of a call; its dates and its key are checked on
//     every use.
//   - A keyset from a file follows the file, so that keys can be added and removed
//     beside running servers. An issuer's keys follow the database likewise.
//   - GetClient remembers what it has answered, and asks the database each time
//     whether the client is still in the state it was in then. To read, convert and
//     encode a full record again cost half of the call.
//   - Only failures are throttled, and a call that would succeed always does:
//     nobody locks somebody else out by guessing in their place.
//   - Page tokens are sealed by the keyset and bound to organisation and query:
//     a caller can neither make one nor carry it elsewhere.
//   - A backup carries the mark that it is one inside of it, in a table of its own
//     beside the migrated ones, so that neither cp nor an older schema loses it.
//     Who accepts the rollback makes the versions of secrets jump: none is ever
//     given to two secrets.
//   - HTTP/2 and its bounds come from golang.org/x/net/http2, which follows
//     go.mod and not the toolchain; its API is deprecated in favour of net/http,
//     hence an exception for the linter.
//   - Statements that every call needs are built once, not per call: building
//     them with ent cost as much as running them.
package server
