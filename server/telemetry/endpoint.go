package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// maxScrapes bounds the concurrent scrapes; one more is answered 503.
	maxScrapes = 4
	// scrapeTimeout bounds each part of a scrape: its header, its answer, and how
	// long a stop waits for it.
	scrapeTimeout = 5 * time.Second
)

// endpoint answers scrapes on an address of its own.
type endpoint struct {
	listener net.Listener
	server   *http.Server
}

// Listen binds the address on which Run answers /metrics, and nothing else, in
// plain text and to everybody: it belongs to an internal network.
//
// Errors: the address is taken, or none.
func (t *Telemetry) Listen(ctx context.Context, addr string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("--metrics-addr: %w", err)
	}
	errorLog := slog.NewLogLogger(t.config.Log.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorLog: errorLog, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes,
	}))
	t.endpoint = &endpoint{listener: listener, server: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: scrapeTimeout,
		ReadTimeout:       scrapeTimeout,
		WriteTimeout:      scrapeTimeout,
		ErrorLog:          errorLog,
	}}
	return nil
}

// URL returns where Prometheus finds the metrics, or empty if it does not.
func (t *Telemetry) URL() string {
	if t.endpoint == nil {
		return ""
	}
	return "http://" + t.endpoint.listener.Addr().String() + "/metrics"
}

// run answers until ctx ends. The service goes on without its metrics.
func (e *endpoint) run(ctx context.Context, log *slog.Logger) {
	ended := make(chan error, 1)
	go func() { ended <- e.server.Serve(e.listener) }()
	select {
	case err := <-ended:
		log.ErrorContext(ctx, "metrics are served no more", "error", err)
	case <-ctx.Done():
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scrapeTimeout)
		defer cancel()
		if err := e.server.Shutdown(ctx); err != nil {
			log.WarnContext(ctx, "a scrape was cut off", "error", errors.Join(err, e.server.Close()))
		}
	}
}

// close frees the address if run has not.
func (e *endpoint) close() error {
	if err := e.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
