// Package serving_test tests, through the front door, the server as a process: ports, TLS, CORS, health, reflection, start,
// restart, drain and panics.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package serving_test
