package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"clientsd/server/abuse"
	"clientsd/server/auth"
	"clientsd/server/database"
	"clientsd/server/issuer"
	"clientsd/server/oauthclient"
	"clientsd/server/storage"
	"clientsd/server/telemetry"
)

// A Server is the service, opened and bound to its address.
type Server struct {
	config   Config
	storage  *storage.Storage
	issuer   *issuer.Issuer
	remotes  []*auth.RemoteKeys
	store    *oauthclient.Store
	listener net.Listener
	places   places
	answers  answers
	url      string
	failures *abuse.Throttle
	denials  *abuse.DenialLog
	draining atomic.Bool

	telemetry *telemetry.Telemetry
}

// New opens keyset and database, and only then binds the address: whoever
// reaches the port reaches a server that has what it needs. It does not answer
// before Run.
//
// Errors: those of Config.Validate, of [telemetry.New] and of [storage.Open], or
// an address is taken.
func New(ctx context.Context, config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	s := &Server{
		config:   config,
		failures: abuse.NewThrottle(config.FailureRate, config.Clock),
		denials:  abuse.NewDenialLog(config.Log),
		places:   make(places, config.MaxInFlight),
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close(ctx))
	}
	return s, nil
}

// URL is where the service is reached: the configured public URL, or the
// address it listens on.
func (s *Server) URL() string { return s.url }

// Issuer is the built-in issuer. Its tokens are accepted only if the
// configuration names no other.
func (s *Server) Issuer() *issuer.Issuer { return s.issuer }

// MetricsURL is where Prometheus finds the metrics, or empty if it does not.
func (s *Server) MetricsURL() string { return s.telemetry.URL() }

// Storage is what the server has opened, for those who tell people about it.
func (s *Server) Storage() *storage.Storage { return s.storage }

// Run answers until ctx ends. Then it says on /readyz that it is not ready,
// lets running calls finish, closes the database and returns nil; an error
// tells what kept it from serving or from finishing in time.
func (s *Server) Run(ctx context.Context) error {
	handler, err := s.handler()
	if err != nil {
		return errors.Join(err, s.close(ctx))
	}
	httpServer, err := s.httpServer(handler)
	if err != nil {
		return errors.Join(err, s.close(ctx))
	}
	stop := s.runBackground(ctx)
	failed := make(chan error, 1)
	go func() { failed <- s.serve(httpServer) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = s.drain(ctx, httpServer)
	}
	stop()
	return errors.Join(err, s.close(ctx))
}

// runBackground runs what goes on beside the calls until stop is called, which
// returns once all of it has ended: what was denied last is in the log then.
func (s *Server) runBackground(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, remote := range s.remotes {
		running.Go(func() { remote.Run(ctx) })
	}
	running.Go(func() { s.denials.Run(ctx) })
	running.Go(func() { s.telemetry.Run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (s *Server) open(ctx context.Context) (err error) {
	if s.answers, err = newAnswers(); err != nil {
		return err
	}
	if s.telemetry, err = telemetry.New(ctx, s.config.telemetry()); err != nil {
		return err
	}
	if s.storage, err = storage.Open(ctx, s.config.Storage); err != nil {
		return err
	}
	if s.issuer, err = issuer.OpenOrCreate(ctx, issuer.Database{Read: s.storage.DB.Read, Transact: s.storage.DB.Serialise}, s.storage.Keyset); err != nil {
		return err
	}
	clock, err := s.storage.DB.Clock(ctx, s.config.Clock)
	if err != nil {
		return err
	}
	s.store, err = oauthclient.NewStore(oauthclient.Config{
		Transact:          s.storage.DB.Transact,
		TransactStatement: s.storage.DB.StatementTransactor(),
		Classify:          database.Classify,
		Read:              s.storage.DB.Read,
		Keyset:            s.storage.Keyset,
		SecretPrefix:      s.config.SecretPrefix,
		MaxOverlap:        s.config.MaxSecretOverlap,
		Log:               s.config.Log,
		Clock:             clock,
	})
	if err != nil {
		return err
	}
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.config.Addr); err != nil {
		return err
	}
	s.url = cmp.Or(s.config.PublicURL, s.scheme()+"://"+s.listener.Addr().String())
	return s.watch(ctx)
}

func (s *Server) scheme() string {
	if s.config.TLSCert != "" {
		return "https"
	}
	return "http"
}

// httpServer speaks HTTP/1.1 and HTTP/2 on one port, with and without TLS. The
// bounds of HTTP/2 come from golang.org/x/net, which is updated with the module
// and not with the toolchain.
func (s *Server) httpServer(handler http.Handler) (*http.Server, error) {
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
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
	err := http2.ConfigureServer(server, &http2.Server{ //nolint:staticcheck // see above: deprecated in favour of the toolchain's copy
		MaxConcurrentStreams: maxStreams,
		IdleTimeout:          idleTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("configure HTTP/2: %w", err)
	}
	return server, nil
}

func (s *Server) serve(httpServer *http.Server) (err error) {
	if s.config.TLSCert != "" {
		err = httpServer.ServeTLS(s.listener, s.config.TLSCert, s.config.TLSKey)
	} else {
		err = httpServer.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// drain tells balancers that the server is not ready, and goes on until they can
// have noticed. Then it tells new calls to come back, to another replica, while
// those that run finish. Only then it stops listening: until the last answer
// somebody may ask /readyz.
func (s *Server) drain(ctx context.Context, httpServer *http.Server) error {
	s.draining.Store(true)
	time.Sleep(s.config.ShutdownDelay)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.DrainTimeout)
	defer cancel()
	s.places.takeAll(ctx)
	if err := httpServer.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("drain: calls still ran after %v: %w", s.config.DrainTimeout, err), httpServer.Close())
	}
	return nil
}

func (s *Server) close(ctx context.Context) error {
	var errs []error
	if s.telemetry != nil {
		errs = append(errs, s.telemetry.Close(ctx))
	}
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.storage != nil {
		errs = append(errs, s.storage.Close())
	}
	return errors.Join(errs...)
}
