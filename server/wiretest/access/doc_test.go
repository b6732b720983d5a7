// Package access_test tests, through the front door, who may do what: tokens, scopes, organisations, what a caller cannot see,
// and how failures are counted and logged.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package access_test
