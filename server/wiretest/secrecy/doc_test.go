// Package secrecy_test tests, through the front door, that a secret and a token are in no file, table, log, trace, metric or
// answer that must not carry one.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package secrecy_test
