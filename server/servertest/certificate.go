package servertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"clientsd/server"
)

// A Certificate is self-signed, for 127.0.0.1, and kept with its key in two files.
type Certificate struct {
	CertFile, KeyFile string
}

// NewCertificate makes one that has some of its life left, less than none if it has
// expired.
func NewCertificate(t testing.TB, life, left time.Duration) Certificate {
	t.Helper()
	dir := t.TempDir()
	c := Certificate{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	c.Renew(t, life, left)
	return c
}

// Renew replaces both files by a new key and its certificate, which it returns.
func (c Certificate) Renew(t testing.TB, life, left time.Duration) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	notAfter := time.Now().Add(left)
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: notAfter.Add(-life), NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(content)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, c.KeyFile, "PRIVATE KEY", private)
	writePEM(t, c.CertFile, "CERTIFICATE", content)
	return cert
}

// writePEM replaces a file, as the tools do that renew certificates.
func writePEM(t testing.TB, path, kind string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// Trust returns a configuration that trusts the certificate as it is now.
func (c Certificate) Trust(t testing.TB) *tls.Config {
	t.Helper()
	cert, err := os.ReadFile(c.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	trust := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	trust.RootCAs.AppendCertsFromPEM(cert)
	return trust
}

// Serve makes a server show the certificate.
func (c Certificate) Serve(config *server.Config) {
	config.TLSCert, config.TLSKey = c.CertFile, c.KeyFile
}

// Shown returns the certificate that a host shows.
func Shown(t testing.TB, hostPort string) *x509.Certificate {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true} // the test compares it
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", hostPort)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // only the handshake matters
	secured, ok := conn.(*tls.Conn)
	if !ok {
		t.Fatalf("%s: the connection is a %T", hostPort, conn)
	}
	return secured.ConnectionState().PeerCertificates[0]
}
