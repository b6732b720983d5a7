// Package auth says who is calling and what they may call.
//
// It owns the way from an Authorization header to a [Principal]: reading the
// header ([BearerToken]), verifying the JWT ([Verifier]), reading the claims as
// each issuer writes them ([TokenFormat]) and holding the keys of remote issuers
// ([RemoteKeys]); and the table that says which scope each procedure needs
// ([Rules]).
//
// Authentication is net/http middleware ([Middleware]), because connect-go
// reads and inflates a request before any interceptor runs: without a good
// token nothing of the body is touched. Authorisation is an interceptor
// ([Rules.Interceptor]), because some rules depend on the message; a refusal
// that depends on none comes before it is read ([Rules.CheckScope]).
//
// The package must not depend on storage (ent) or on the domain. What a
// caller may see of the data, such as the clients of its organisation only, is
// decided there, not here. Only middleware.go, interceptor.go and connect.go
// know Connect; the rest serves every API.
package auth
