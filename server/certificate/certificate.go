// Package certificate keeps up with the files of the certificate that a server shows.
//
// It owns when the files are read, that the certificate stays if they cannot be, and
// when its end is near.
//
// It must not know the wire or flags other than the two that name the files.
package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// interval is how long a server may miss a change of the files, as with the keyset.
	interval = 2 * time.Second
	// soon is how long before its end a certificate is warned of, at most.
	soon = 14 * 24 * time.Hour
	// soonShare is which share of its life that is, at most: a week's certificate is
	// renewed days before its end, not weeks.
	soonShare = 4
)

// A Certificate follows the two files of a certificate and its private key. It is
// safe for concurrent use.
type Certificate struct {
	certFile, keyFile string
	clock             func() time.Time
	log               *slog.Logger

	current atomic.Pointer[tls.Certificate]

	mu               sync.Mutex // guards the rest
	content          []byte     // of both files, when they were read last
	failure, warning string     // what was logged last
}

// Open reads the files. It logs if callers refuse the certificate, or will soon.
//
// Errors: a file cannot be read; the key is of another certificate.
func Open(ctx context.Context, certFile, keyFile string, clock func() time.Time, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, clock: clock, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	c.warn(ctx)
	return c, nil
}

// Get returns the certificate for a handshake, as [tls.Config.GetCertificate] does.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// NotAfter returns when the certificate expires.
func (c *Certificate) NotAfter() time.Time { return c.current.Load().Leaf.NotAfter }

// Run follows the files until ctx ends, and logs when the end of the certificate
// comes near.
func (c *Certificate) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.check(ctx)
		}
	}
}

// Reload reads the files now, and logs the result also if nothing has changed.
func (c *Certificate) Reload(ctx context.Context) {
	c.mu.Lock()
	c.content, c.failure, c.warning = nil, "", ""
	c.mu.Unlock()
	c.check(ctx)
}

// check reads the files and logs what is new. A renewal that replaces one file after
// the other is a failure until it has replaced both.
func (c *Certificate) check(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.current.Load()
	failure := ""
	if err := c.read(); err != nil {
		failure = err.Error()
	}
	switch {
	case failure != "" && failure != c.failure:
		c.log.ErrorContext(ctx, "cannot read the certificate again; the old one is still used", "error", failure)
	case c.current.Load() != before:
		c.log.InfoContext(ctx, "the certificate was read again", "file", c.certFile, "not_after", c.NotAfter())
		c.warning = ""
	}
	c.failure = failure
	c.warn(ctx)
}

// read does nothing if the files are as they were.
func (c *Certificate) read() error {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return fmt.Errorf("--tls-cert: %w", err)
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return fmt.Errorf("--tls-key: %w", err)
	}
	content := bytes.Join([][]byte{cert, key}, []byte{0})
	if bytes.Equal(content, c.content) {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("--tls-cert %s and --tls-key %s: %w", c.certFile, c.keyFile, err)
	}
	c.content = content
	c.current.Store(&pair)
	return nil
}

// warn logs, once, that callers refuse the certificate or will soon.
func (c *Certificate) warn(ctx context.Context) {
	now, leaf := c.clock(), c.current.Load().Leaf
	warning := ""
	switch {
	case now.After(leaf.NotAfter):
		warning = "the certificate has expired: callers refuse it"
	case now.Before(leaf.NotBefore):
		warning = "the certificate is not valid yet: callers refuse it"
	case leaf.NotAfter.Sub(now) < min(soon, leaf.NotAfter.Sub(leaf.NotBefore)/soonShare):
		warning = "the certificate expires soon"
	}
	if warning != "" && warning != c.warning {
		c.log.WarnContext(ctx, warning, "file", c.certFile, "not_before", leaf.NotBefore, "not_after", leaf.NotAfter)
	}
	c.warning = warning
}
