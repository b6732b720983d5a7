package bench_test

import (
	"fmt"
	"testing"
)

// connections are how many concurrent callers a benchmark has.
var connections = []int{1, 8, 64}

// benchClients is how many clients the calls of a benchmark go round.
const benchClients = 1000

// apiConnections is with how many callers the other APIs are compared with the
// main one.
const apiConnections = 8

// BenchmarkRotations compares RegenerateSecret over HTTP with the same disk doing
// nothing but a durable single-row UPDATE: the metric of-bare is the ratio of the
// two rates. The REST APIs do the same rotations; their metric of-main is the
// ratio of their rate to that of RegenerateSecret.
func BenchmarkRotations(b *testing.B) {
	load := newBenchLoad(b)
	for _, n := range connections {
		b.Run(fmt.Sprintf("RegenerateSecret/connections=%d", n), func(b *testing.B) {
			contest(b, turns, "of-bare", load.caller(b, n, load.rotations), bareUpdates(b))
		})
	}
	for name, calls := range map[string][]benchCall{"ZITADEL REST": load.zitadel, "Vigilo": load.vigilo} {
		b.Run(fmt.Sprintf("%s/connections=%d", name, apiConnections), func(b *testing.B) {
			contest(b, turns, "of-main", load.caller(b, apiConnections, calls), load.caller(b, apiConnections, load.rotations))
		})
	}
}

// BenchmarkReads compares GetClient and VerifySecret with a Connect handler that
// does nothing, behind the same http.Server and the same load. The metric of-bare
// is the ratio of the rates.
func BenchmarkReads(b *testing.B) {
	load := newBenchLoad(b)
	for _, n := range connections {
		b.Run(fmt.Sprintf("GetClient/connections=%d", n), func(b *testing.B) {
			contest(b, turns, "of-bare", load.caller(b, n, load.reads), bareCalls(b, n))
		})
		b.Run(fmt.Sprintf("VerifySecret/connections=%d", n), func(b *testing.B) {
			contest(b, turns, "of-bare", load.caller(b, n, load.verifications), bareCalls(b, n))
		})
	}
}
