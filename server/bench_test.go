package server_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/servertest"
)

// connections are how many callers a benchmark has at once.
var connections = []int{1, 8, 64}

// benchClients is how many clients the calls of a benchmark go round.
const benchClients = 1000

// BenchmarkRotations compares RegenerateSecret over HTTP with the same disk
// doing nothing but a durable single-row UPDATE, in the same run. The metric
// of-bare is the ratio of the two rates.
func BenchmarkRotations(b *testing.B) {
	bare := 0.0
	b.Run("bare durable UPDATE", func(b *testing.B) { bare = bareUpdates(b) })
	load := newBenchLoad(b)
	for _, n := range connections {
		b.Run(fmt.Sprintf("RegenerateSecret/connections=%d", n), func(b *testing.B) {
			reportRatio(b, load.run(b, n, apiv1connect.ClientsServiceRegenerateSecretProcedure, load.rotations), bare)
		})
	}
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
			reportRatio(b, load.run(b, n, apiv1connect.ClientsServiceGetClientProcedure, load.reads), bare)
		})
		b.Run(fmt.Sprintf("VerifySecret/connections=%d", n), func(b *testing.B) {
			reportRatio(b, load.run(b, n, clientsdv1connect.SecretsServiceVerifySecretProcedure, load.verifications), bare)
		})
	}
}

func reportRatio(b *testing.B, rate, bare float64) {
	b.Helper()
	if bare > 0 {
		b.ReportMetric(rate/bare, "of-bare")
	}
}

// benchLoad is a real server with clients, and the bodies of calls about them.
type benchLoad struct {
	server                          *servertest.Server
	token                           string
	rotations, reads, verifications []string
}

func newBenchLoad(b *testing.B) *benchLoad {
	b.Helper()
	server := servertest.Start(b)
	load := &benchLoad{server: server, token: server.Token(b, servertest.All...)}
	for range benchClients {
		client := server.CreateAs(b, load.token, servertest.Request())
		load.rotations = append(load.rotations, fmt.Sprintf(`{"clientId":%q,"includeSecret":true}`, client.GetClientId()))
		load.reads = append(load.reads, fmt.Sprintf(`{"clientId":%q}`, client.GetClientId()))
		load.verifications = append(load.verifications,
			fmt.Sprintf(`{"clientId":%q,"secret":%q}`, client.GetClientId(), client.GetClientSecret()))
	}
	return load
}

func (l *benchLoad) run(b *testing.B, connections int, procedure string, bodies []string) float64 {
	b.Helper()
	return drive(b, l.server.URL, connections, requests(l.server.URL, procedure, l.token, bodies))
}

// bareCalls is the rate of a handler that does nothing.
func bareCalls(b *testing.B, connections int) float64 {
	b.Helper()
	const procedure = "/bench.v1.BenchService/Nothing"
	nothing := func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		return connect.NewResponse(&emptypb.Empty{}), nil
	}
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewUnaryHandler(procedure, nothing))
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	return drive(b, server.URL, connections, requests(server.URL, procedure, "", []string{"{}"}))
}

// bareUpdates is the rate of durable single-row updates in a loop.
func bareUpdates(b *testing.B) float64 {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.TempDir(), "bare.db")+
		"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	mustExec(b, db, "CREATE TABLE bare (id integer PRIMARY KEY, value blob)")
	for id := range benchClients {
		mustExec(b, db, "INSERT INTO bare VALUES (?, randomblob(600))", id)
	}
	update, err := db.PrepareContext(b.Context(), "UPDATE bare SET value = randomblob(600) WHERE id = ?")
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := update.ExecContext(b.Context(), i%benchClients); err != nil {
			b.Fatal(err)
		}
	}
	return reportRate(b)
}

func mustExec(b *testing.B, db *sql.DB, query string, args ...any) {
	b.Helper()
	if _, err := db.ExecContext(b.Context(), query, args...); err != nil {
		b.Fatal(err)
	}
}

// requests are whole HTTP/1.1 requests, made before the clock starts.
func requests(url, procedure, token string, bodies []string) [][]byte {
	authorization := ""
	if token != "" {
		authorization = "Authorization: Bearer " + token + "\r\n"
	}
	list := make([][]byte, len(bodies))
	for i, body := range bodies {
		list[i] = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/json\r\n"+
			"Connect-Protocol-Version: 1\r\nContent-Length: %d\r\n\r\n%s",
			procedure, strings.TrimPrefix(url, "http://"), authorization, len(body), body)
	}
	return list
}

// drive sends b.N requests over so many connections, each waiting for its
// answer, and returns the rate. It costs little beside the server, with which
// it shares the processors.
func drive(b *testing.B, url string, connections int, requests [][]byte) float64 {
	b.Helper()
	var next atomic.Int64
	var workers sync.WaitGroup
	total := int64(b.N)
	b.ResetTimer()
	for range connections {
		workers.Go(func() {
			if err := drain(url, requests, func() int64 { return next.Add(1) - 1 }, total); err != nil {
				b.Error(err)
			}
		})
	}
	workers.Wait()
	return reportRate(b)
}

// drain sends requests over one connection until none is left.
func drain(url string, requests [][]byte, next func() int64, total int64) error {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for i := next(); i < total; i = next() {
		if _, err := conn.Write(requests[i%int64(len(requests))]); err != nil {
			return err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s (%w)", response.Status, body, err)
		}
	}
	return nil
}

func reportRate(b *testing.B) float64 {
	b.Helper()
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "calls/s")
	return rate
}
