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

func reportRatio(b *testing.B, metric string, rate, other float64) {
	b.Helper()
	if other > 0 {
		b.ReportMetric(rate/other, metric)
	}
}

// A benchCall is one request of a load.
type benchCall struct{ path, body string }

// benchLoad is a real server with clients, and the calls about them.
type benchLoad struct {
	server                                           *servertest.Server
	token                                            string
	rotations, zitadel, vigilo, reads, verifications []benchCall
}

func newBenchLoad(b *testing.B) *benchLoad {
	b.Helper()
	server := servertest.Start(b)
	load := &benchLoad{server: server, token: server.Token(b, faceScopes...)}
	for range benchClients {
		client := server.CreateAs(b, load.token, servertest.Request())
		id := client.GetClientId()
		load.addRotation(id)
		load.zitadel = append(load.zitadel, benchCall{restPath(client.GetApplicationId(), id), `{}`})
		load.vigilo = append(load.vigilo, benchCall{vigiloPath(id), `{}`})
		load.reads = append(load.reads, benchCall{apiv1connect.ClientsServiceGetClientProcedure, fmt.Sprintf(`{"clientId":%q}`, id)})
		load.addVerification(id, client.GetClientSecret())
	}
	return load
}

func (l *benchLoad) addRotation(id string) {
	l.rotations = append(l.rotations, benchCall{
		apiv1connect.ClientsServiceRegenerateSecretProcedure, fmt.Sprintf(`{"clientId":%q,"includeSecret":true}`, id),
	})
}

func (l *benchLoad) addVerification(id, secret string) {
	l.verifications = append(l.verifications, benchCall{
		clientsdv1connect.SecretsServiceVerifySecretProcedure, fmt.Sprintf(`{"clientId":%q,"secret":%q}`, id, secret),
	})
}

func (l *benchLoad) run(b *testing.B, connections int, calls []benchCall) float64 {
	b.Helper()
	return drive(b, l.server.URL, connections, requests(l.server.URL, l.token, calls))
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
	return drive(b, server.URL, connections, requests(server.URL, "", []benchCall{{procedure, "{}"}}))
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
	defer update.Close()
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
func requests(url, token string, calls []benchCall) [][]byte {
	authorization := ""
	if token != "" {
		authorization = "Authorization: Bearer " + token + "\r\n"
	}
	list := make([][]byte, len(calls))
	for i, call := range calls {
		list[i] = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/json\r\n"+
			"Connect-Protocol-Version: 1\r\nContent-Length: %d\r\n\r\n%s",
			call.path, strings.TrimPrefix(url, "http://"), authorization, len(call.body), call.body)
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
			if err := drain(b.Context(), url, requests, func() int64 { return next.Add(1) - 1 }, total); err != nil {
				b.Error(err)
			}
		})
	}
	workers.Wait()
	return reportRate(b)
}

// drain sends requests over one connection until none is left.
func drain(ctx context.Context, url string, requests [][]byte, next func() int64, total int64) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
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
