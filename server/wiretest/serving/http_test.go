package serving_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/net/http2"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server"
	"clientsd/server/servertest"
	"clientsd/server/storage"
)

// certificate makes a self-signed certificate for 127.0.0.1 and returns its
// files, and who trusts it.
func certificate(t *testing.T) (certFile, keyFile string, trust *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	trust = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	trust.RootCAs.AppendCertsFromPEM(certPEM)
	return writeFile(t, "cert.pem", certPEM),
		writeFile(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), trust
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// clientOf speaks only one version of HTTP, with or without TLS.
func clientOf(config *tls.Config, version2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!version2)
	protocols.SetHTTP2(version2 && config != nil)
	protocols.SetUnencryptedHTTP2(version2 && config == nil)
	return &http.Client{Transport: &http.Transport{Protocols: protocols, TLSClientConfig: config.Clone()}}
}

func TestPort_HTTP1AndHTTP2WithAndWithoutTLS(t *testing.T) {
	cert, key, trust := certificate(t)
	plain := servertest.Start(t)
	encrypted := servertest.Start(t, func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key })
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
	cert, key, trust := certificate(t)
	s := servertest.Start(t, func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key })
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
	cert, key, trust := certificate(t)
	plain := servertest.Start(t)
	encrypted := servertest.Start(t, func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key })
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

func TestStart_CannotListenOrReadCertificate(t *testing.T) {
	s := servertest.Start(t)
	for name, tt := range map[string]struct {
		change func(*server.Config)
		want   string
	}{
		"an address that is taken": {
			func(c *server.Config) { c.Addr = strings.TrimPrefix(s.URL, "http://") },
			"address already in use",
		},
		"a certificate that is not there": {
			func(c *server.Config) { c.TLSCert, c.TLSKey = "/nowhere/cert.pem", "/nowhere/key.pem" },
			"open /nowhere/cert.pem: no such file or directory",
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := server.Config{Addr: "127.0.0.1:0", Storage: storage.Config{Dir: t.TempDir(), Create: true}}
			tt.change(&config)
			started, err := server.New(t.Context(), config)
			if err == nil {
				err = started.Run(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %s", err, tt.want)
			}
		})
	}
}
