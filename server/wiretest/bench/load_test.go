package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/servertest"
)

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
	load := &benchLoad{server: server, token: server.Token(b, servertest.AllAPIs...)}
	for range benchClients {
		client := server.CreateAs(b, load.token, servertest.Request())
		id := client.GetClientId()
		load.addRotation(id)
		load.zitadel = append(load.zitadel, benchCall{servertest.ZitadelPath(client.GetApplicationId(), id), `{}`})
		load.vigilo = append(load.vigilo, benchCall{servertest.VigiloPath(id), `{}`})
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

// caller makes calls to the server over so many connections.
func (l *benchLoad) caller(b *testing.B, connections int, calls []benchCall) contender {
	b.Helper()
	return newCaller(b, l.server.URL, connections, requests(l.server.URL, l.token, calls))
}

// bareCalls calls a handler that does nothing.
func bareCalls(b *testing.B, connections int) contender {
	b.Helper()
	const procedure = "/bench.v1.BenchService/Nothing"
	nothing := func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		return connect.NewResponse(&emptypb.Empty{}), nil
	}
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewUnaryHandler(procedure, nothing))
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	return newCaller(b, server.URL, connections, requests(server.URL, "", []benchCall{{procedure, "{}"}}))
}

// bareUpdates makes durable single-row updates in a loop.
func bareUpdates(b *testing.B) contender {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.TempDir(), "bare.db")+
		"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() }) // nothing is lost
	db.SetMaxOpenConns(1)
	mustExec(b, db, "CREATE TABLE bare (id integer PRIMARY KEY, value blob)")
	for id := range benchClients {
		mustExec(b, db, "INSERT INTO bare VALUES (?, randomblob(600))", id)
	}
	update, err := db.PrepareContext(b.Context(), "UPDATE bare SET value = randomblob(600) WHERE id = ?")
	if err != nil {
		b.Fatal(err)
	}
	return func(b *testing.B, calls int) time.Duration {
		b.Helper()
		began := time.Now()
		for i := range calls {
			if _, err := update.ExecContext(b.Context(), i%benchClients); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began)
	}
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
