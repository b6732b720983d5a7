// Package postgres_test tests, through the front door, what only a second server or a network can break: lost connections,
// unknown outcomes, conflicts, shared commits and clocks that differ. On SQLite
// they are skipped.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package postgres_test
