// Package bench_test measures the server through the front door, in turn with a
// yardstick that does the same work without it. docs/benchmarks.md says how to
// read the numbers:
//
//	go test -run '^$' -bench . ./server/wiretest/bench
package bench_test
