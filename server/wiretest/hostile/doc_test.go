// Package hostile_test tests, through the front door, input that is meant to harm: broken frames and JSON, odd text and URIs,
// gzip bombs, oversized requests, and what a fuzzer finds.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package hostile_test
