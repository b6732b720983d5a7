package transport

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/net/http2"
)

const (
	// maxStreams bounds the concurrent calls on one HTTP/2 connection.
	maxStreams = 100
	// maxHeaderBytes bounds the header of a request; an access token may fill half.
	maxHeaderBytes = 16 << 10

	headerTimeout = 5 * time.Second

	// readTimeout and writeTimeout are for requests without a token. A call with a
	// token gets callReadTimeout and callWriteTimeout.
	readTimeout      = 5 * time.Second
	writeTimeout     = 10 * time.Second
	callReadTimeout  = 15 * time.Second
	callWriteTimeout = 60 * time.Second
)

// NewHTTPServer returns a server that speaks HTTP/1.1 and HTTP/2 on one port,
// with and without TLS. The bounds of HTTP/2 come from golang.org/x/net, which is
// updated with the module and not with the toolchain. A connection without a call
// is closed after idle.
func NewHTTPServer(handler http.Handler, idle time.Duration, log *slog.Logger) (*http.Server, error) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	err := http2.ConfigureServer(server, &http2.Server{ //nolint:staticcheck // see above: deprecated in favour of the toolchain's copy
		MaxConcurrentStreams: maxStreams,
		IdleTimeout:          idle,
	})
	if err != nil {
		return nil, fmt.Errorf("configure HTTP/2: %w", err)
	}
	return server, nil
}
