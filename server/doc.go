// Package server is clientsd: it puts the parts together and serves them on one
// port. This comment says how a call, a rotation and a transaction work;
// docs/architecture.md has a picture, and docs/decisions.md says why, with dates.
//
// It owns the configuration, the listener, the routes and the health of a server.
// It must not know SQL, a driver or a flag.
//
// # The parts
//
// Imports only go down: main, command, server, the APIs, then the domain, then
// secret and ent. The domain knows no wire format, and the authentication knows no
// database. The test in imports_test.go keeps it so and has the only list of
// packages. Each package says what it owns and what it must not know.
//
// # A call
//
// A request gets its id, is measured and traced, and is routed. Before a byte of
// its body is read, net/http middleware verifies the access token, refuses one whose
// scopes allow no message, and limits the body: Connect decompresses a body before
// any interceptor runs. A call has one of the places for concurrent calls while the
// server works on it, not while its caller is waited for. Then Connect decodes the
// message, and the interceptors run, from the outside in: the error table, the scope,
// the rules of the message, the deadline. So the order of the checks is token, scope, rules, look-up. A missing
// scope does not reveal what exists, and a client of another organisation gets the
// same answer, byte for byte, as one that does not exist.
//
// A handler converts, calls the domain and converts back.
//
// # A rotation
//
// The row of a client carries its secret: a digest to verify with and a sealed
// copy to show. A rotation creates both before its transaction begins. The
// transaction is one conditional UPDATE … RETURNING on that row and the INSERT of
// the event. Nothing is read first and written later, and there is no cache in
// front of a verification.
//
// # A transaction
//
// Every change is a function of a transaction. On SQLite, functions that wait for
// the one writer share a commit. On PostgreSQL, each has a transaction of its own
// and runs again after a conflict; rotations that arrive while others run share
// one statement. When the answer to a COMMIT is lost, the server asks PostgreSQL
// for the outcome. If nobody can tell, the answer says so.
package server
