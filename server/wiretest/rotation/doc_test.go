// Package rotation_test tests, through the front door, the life of a secret: rotation, overlap, verification, idempotency keys,
// concurrent callers and new sealing keys.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package rotation_test
