package server_test

import (
	"fmt"
	"testing"
)

// connections are how many callers a benchmark has at once.
var connections = []int{1, 8, 64}

// benchClients is how many clients the calls of a benchmark go round.
const benchClients = 1000

// faceConnections is with how many callers the other faces are compared with the
// main one.
const faceConnections = 8

// BenchmarkRotations compares RegenerateSecret over HTTP with the same disk
// doing nothing but a durable single-row UPDATE, in the same run: the metric
// of-bare is the ratio of the two rates. The REST faces do the same rotations;
// their metric of-main is the ratio of their rate to that of RegenerateSecret.
func BenchmarkRotations(b *testing.B) {
	bare, main := 0.0, 0.0
	b.Run("bare durable UPDATE", func(b *testing.B) { bare = bareUpdates(b) })
	load := newBenchLoad(b)
	for _, n := range connections {
		b.Run(fmt.Sprintf("RegenerateSecret/connections=%d", n), func(b *testing.B) {
			rate := load.run(b, n, load.rotations)
			reportRatio(b, "of-bare", rate, bare)
			if n == faceConnections {
				main = rate
			}
		})
	}
	b.Run(fmt.Sprintf("ZITADEL REST/connections=%d", faceConnections), func(b *testing.B) {
		reportRatio(b, "of-main", load.run(b, faceConnections, load.zitadel), main)
	})
	b.Run(fmt.Sprintf("Vigilo/connections=%d", faceConnections), func(b *testing.B) {
		reportRatio(b, "of-main", load.run(b, faceConnections, load.vigilo), main)
	})
}

// BenchmarkReads compares GetClient and VerifySecret with a Connect handler
// that does nothing, behind the same http.Server and the same load, in the same
// run. The metric of-bare is the ratio of the rates.
func BenchmarkReads(b *testing.B) {
	load := newBenchLoad(b)
	for _, n := range connections {
		bare := 0.0
		b.Run(fmt.Sprintf("bare Connect handler/connections=%d", n), func(b *testing.B) { bare = bareCalls(b, n) })
		b.Run(fmt.Sprintf("GetClient/connections=%d", n), func(b *testing.B) {
			reportRatio(b, "of-bare", load.run(b, n, load.reads), bare)
		})
		b.Run(fmt.Sprintf("VerifySecret/connections=%d", n), func(b *testing.B) {
			reportRatio(b, "of-bare", load.run(b, n, load.verifications), bare)
		})
	}
}
