package conformance_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	conformancev1 "example.com/conformance/gen/connectrpc/conformance/v1"
	"example.com/conformance/gen/connectrpc/conformance/v1/conformancev1connect"
	"google.golang.org/protobuf/proto"

	"clientsd/server/abuse"
	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
	"clientsd/server/telemetry"
	"clientsd/server/transport"
)

const (
	issuer   = "https://issuer.example.com"
	audience = "clientsd"
	scope    = "conformance"
)

// serveSuite is a server for the runner. It reads from stdin what the runner wants,
// writes its address to stdout, and serves until it is killed.
func serveSuite(t *testing.T) {
	t.Helper()
	var want conformancev1.ServerCompatRequest
	if err := readMessage(os.Stdin, &want); err != nil {
		t.Fatalf("read from the runner: %v", err)
	}
	log := slog.New(slog.DiscardHandler)
	server, err := transport.NewHTTPServer(handler(t, int64(want.GetMessageReceiveLimit()), log), time.Minute, log)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve := server.Serve
	if creds := want.GetServerCreds(); want.GetUseTls() {
		pair, err := tls.X509KeyPair(creds.GetCert(), creds.GetKey())
		if err != nil {
			t.Fatal(err)
		}
		server.TLSConfig.Certificates = []tls.Certificate{pair}
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listening on %v", listener.Addr())
	}
	if err := writeMessage(os.Stdout, &conformancev1.ServerCompatResponse{
		Host: address.IP.String(), Port: uint32(address.Port), PemCert: want.GetServerCreds().GetCert(),
	}); err != nil {
		t.Fatalf("write to the runner: %v", err)
	}
	t.Fatal(serve(listener))
}

// handler mounts the service behind everything that a call passes in the real
// server. The suite sends no access token, so each call gets a good one first.
func handler(t *testing.T, limit int64, log *slog.Logger) http.Handler {
	t.Helper()
	const unary, idempotent, unimplemented = conformancev1connect.ConformanceServiceUnaryProcedure,
		conformancev1connect.ConformanceServiceIdempotentUnaryProcedure, conformancev1connect.ConformanceServiceUnimplementedProcedure
	measured, err := telemetry.New(t.Context(), telemetry.Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	observers, err := measured.Interceptors()
	if err != nil {
		t.Fatal(err)
	}
	route := telemetry.Route{API: "conformance", Method: "Unary"}
	measured.Register(route)
	key := authtest.NewKey(t, "key-1")
	stack := transport.NewStack(transport.Config{
		Verifier:      verifier(t, key),
		Rules:         auth.Rules{unary: {Scope: scope}, idempotent: {Scope: scope}, unimplemented: {Scope: scope}},
		Failures:      abuse.New(20, time.Now, log),
		Timeout:       4 * time.Second,
		MaxInFlight:   1024,
		MessageLimits: map[string]int64{unary: limit, idempotent: limit, unimplemented: limit},
		CORSOrigins:   []string{"*"},
		Observe:       measured.Middleware(func(*http.Request) telemetry.Call { return telemetry.Call{Route: route} }),
		Interceptors:  observers,
		Log:           log,
	})
	mux := http.NewServeMux()
	path, service := conformancev1connect.NewConformanceServiceHandler(service{}, stack.HandlerOptions()...)
	mux.Handle(path, stack.Service(service))
	token := key.Sign(t, authtest.With(authtest.Claims(issuer, audience, time.Now()), map[string]any{"scope": scope}), nil)
	return withToken(token, stack.Handler(mux))
}

func verifier(t *testing.T, key authtest.Key) *auth.Verifier {
	t.Helper()
	verifier, err := auth.NewVerifier(auth.Config{
		Audience: audience,
		Issuers: []auth.Issuer{{Name: issuer, Key: func(context.Context, auth.KeyRef) (crypto.PublicKey, error) {
			return &key.Private.PublicKey, nil
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func withToken(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		next.ServeHTTP(w, r)
	})
}

// readMessage reads a message that its length precedes, in four bytes.
func readMessage(from io.Reader, message proto.Message) error {
	var length uint32
	if err := binary.Read(from, binary.BigEndian, &length); err != nil {
		return err
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(from, data); err != nil {
		return err
	}
	return proto.Unmarshal(data, message)
}

// writeMessage writes a message after its length.
func writeMessage(to io.Writer, message proto.Message) error {
	data, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	_, err = to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	return err
}
