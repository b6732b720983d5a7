package serving_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/net/http2"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/servertest"
)

// clientOf speaks only one version of HTTP, with or without TLS.
func clientOf(config *tls.Config, version2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!version2)
	protocols.SetHTTP2(version2 && config != nil)
	protocols.SetUnencryptedHTTP2(version2 && config == nil)
	return &http.Client{Transport: &http.Transport{Protocols: protocols, TLSClientConfig: config.Clone()}}
}

func TestPort_HTTP1AndHTTP2WithAndWithoutTLS(t *testing.T) {
	cert := servertest.NewCertificate(t, 2*time.Hour, time.Hour)
	trust := cert.Trust(t)
	plain := servertest.Start(t)
	encrypted := servertest.Start(t, cert.Serve)
	for name, tt := range map[string]struct {
		server   *servertest.Server
		trust    *tls.Config
		version2 bool
		prefix   string
	}{
		"HTTP/1.1":          {plain, nil, false, "http://127.0.0.1:"},
		"HTTP/2":            {plain, nil, true, "http://127.0.0.1:"},
		"HTTP/1.1 over TLS": {encrypted, trust, false, "https://127.0.0.1:"},
		"HTTP/2 over TLS":   {encrypted, trust, true, "https://127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.HasPrefix(tt.server.URL, tt.prefix) {
				t.Errorf("the server calls itself %s", tt.server.URL)
			}
			client := clientOf(tt.trust, tt.version2)
			defer client.CloseIdleConnections()
			response, err := client.Get(tt.server.URL + "/livez")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK || (response.ProtoMajor == 2) != tt.version2 {
				t.Errorf("got %s over %s", response.Status, response.Proto)
			}
			wantPublicCall(t, tt.server, client, connect.WithProtoJSON())
			if tt.version2 {
				wantPublicCall(t, tt.server, client, connect.WithGRPC())
			}
		})
	}
}

// wantPublicCall makes a call that needs no token.
func wantPublicCall(t *testing.T, s *servertest.Server, client *http.Client, option connect.ClientOption) {
	t.Helper()
	answer, err := apiv1connect.NewClientsServiceClient(client, s.URL, option).GetPublicClients(t.Context(),
		&apiv1.GetPublicClientsRequest{ClientId: []string{"550e8400-e29b-41d4-a716-446655440000"}})
	if err != nil || len(answer.GetClients()) != 0 {
		t.Errorf("got %v, error %v", answer, err)
	}
}

func TestTLS_Before12IsRefused(t *testing.T) {
	cert := servertest.NewCertificate(t, 2*time.Hour, time.Hour)
	trust := cert.Trust(t)
	s := servertest.Start(t, cert.Serve)
	trust.MinVersion, trust.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), trust); err == nil {
		t.Errorf("got version %x", conn.ConnectionState().Version)
		_ = conn.Close()
	} else if !strings.Contains(err.Error(), "protocol version not supported") {
		t.Errorf("got error %v", err)
	}
}

// A client learns from the first frame how many concurrent calls it may have.
func TestHTTP2_100StreamsAConnection(t *testing.T) {
	cert := servertest.NewCertificate(t, 2*time.Hour, time.Hour)
	trust := cert.Trust(t)
	plain := servertest.Start(t)
	encrypted := servertest.Start(t, cert.Serve)
	trust.NextProtos = []string{http2.NextProtoTLS}

	conn, err := net.Dial("tcp", strings.TrimPrefix(plain.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	wantStreams(t, conn, 100)
	encryptedConn, err := tls.Dial("tcp", strings.TrimPrefix(encrypted.URL, "https://"), trust)
	if err != nil {
		t.Fatal(err)
	}
	wantStreams(t, encryptedConn, 100)
}

func wantStreams(t *testing.T, conn net.Conn, want uint32) {
	t.Helper()
	defer conn.Close()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("the first frame is %v", frame)
	}
	if got, ok := settings.Value(http2.SettingMaxConcurrentStreams); !ok || got != want {
		t.Errorf("got %d streams, want %d", got, want)
	}
}
