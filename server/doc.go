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
//	server/call         which call this is, and who makes it
//	server/oauthclient  the domain: clients and the rotation of their secrets
//	server/secret       generate, digest, compare, seal: where plaintext is
//	server/logo         image checks and re-encoding
//	server/zitadel      ZITADEL's face of the rotation
//	server/vigilo       Vigilo's face of the rotation
//	server/openapi      the description of the API that is served
//	server/throttle     slows down who fails too often
//	server/denial       folds denied attempts in the log
//	server/issuer       the built-in issuer of access tokens
//	server/rekey        seals everything anew with another key
//	server/storage      opens keyset and database, in the order that is safe
//	server/database     pragmas, pools, migrations: where a driver is named
//	server/servertest   the real server, for tests
//
// Imports only go down: main, command, server, the faces, then the domain, then
// secret and ent. The domain knows no wire and the authentication no database; a test over
// `go list -deps` keeps it so.
//
// # A call
//
// A request gets its id, meets CORS and the security headers, and is routed. If
// it is a call to a service, net/http middleware then bounds how many run at
// once, verifies the access token and bounds the body, all before a byte of the
// body is read: Connect inflates a body before any interceptor runs. Then
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
// # Decisions
//
//   - SQLite has one connection that writes and several that read. Whoever waits
//     to write waits in the pool, where the caller's deadline counts.
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
//   - Only failures are throttled, and a call that would succeed always does:
//     nobody locks somebody else out by guessing in their place.
//   - Page tokens are sealed by the keyset and bound to organisation and query:
//     a caller can neither make one nor carry it elsewhere.
//   - HTTP/2 and its bounds come from golang.org/x/net/http2, which follows
//     go.mod and not the toolchain; its API is deprecated in favour of net/http,
//     hence an exception for the linter.
//   - Statements that every call needs are built once, not per call: building
//     them with ent cost as much as running them.
package server
