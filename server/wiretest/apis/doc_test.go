// Package apis_test tests, through the front door, the APIs of ZITADEL and Vigilo, and what all APIs have in common: each
// rotates, refuses and fails in its own words.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package apis_test
