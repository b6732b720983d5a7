package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"clientsd/server/abuse"
	"clientsd/server/auth"
	"clientsd/server/certificate"
	"clientsd/server/database"
	"clientsd/server/issuer"
	"clientsd/server/oauthclient"
	"clientsd/server/retention"
	"clientsd/server/storage"
	"clientsd/server/telemetry"
	"clientsd/server/transport"
)

// publicDrainTimeout bounds how long a stop waits for requests without a token. Idle
// HTTP/2 connections need a second of it to end well.
const publicDrainTimeout = 2 * time.Second

// Server is the service, opened and bound to its address.
type Server struct {
	config   Config
	storage  *storage.Storage
	issuer   *issuer.Issuer
	remotes  []*auth.RemoteKeys
	store    *oauthclient.Store
	listener net.Listener
	http     *http.Server
	url      string
	failures *abuse.Failures
	stack    *transport.Stack
	draining atomic.Bool
	checks   singleflight.Group // of the readiness

	certificate *certificate.Certificate // nil: plain text
	telemetry   *telemetry.Telemetry
}

// New opens everything a server needs. It checks all that it can check before it
// makes a file or changes a database: the configuration, the certificate, the
// addresses, then keyset and database. A caller who connects meanwhile waits until
// Run answers.
//
// Errors: those of Config.Validate, of [telemetry.New] and of [storage.Open]; the
// certificate cannot be read; an address is taken.
func New(ctx context.Context, config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	s := &Server{config: config, failures: abuse.New(config.FailureRate, config.Clock, config.Log)}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close(ctx))
	}
	return s, nil
}

// URL returns where the service is reached: the configured public URL, or the
// address it listens on.
func (s *Server) URL() string { return s.url }

// Issuer returns the built-in issuer. Its tokens are accepted only if the
// configuration names no other.
func (s *Server) Issuer() *issuer.Issuer { return s.issuer }

// MetricsURL returns where Prometheus finds the metrics, or an empty string.
func (s *Server) MetricsURL() string { return s.telemetry.URL() }

// Storage returns what the server has opened, so that commands can describe it.
func (s *Server) Storage() *storage.Storage { return s.storage }

// Run answers until ctx ends. Then /readyz says that the server is not ready,
// running calls finish, and Run closes the database and returns nil. An error says
// what kept it from finishing in time.
func (s *Server) Run(ctx context.Context) error {
	stop := s.runBackground(ctx)
	failed := make(chan error, 1)
	go func() { failed <- s.serve() }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = s.drain(ctx)
	}
	stop()
	return errors.Join(err, s.close(ctx))
}

// Reload reads certificate and keyset now, and not only when the change of a file is
// noticed. What cannot be read stays as it is; the log has the reason.
func (s *Server) Reload(ctx context.Context) {
	if s.certificate != nil {
		s.certificate.Reload(ctx)
	}
	s.storage.Keyset.Reload(ctx, s.config.Log)
}

// runBackground runs what goes on alongside the calls. stop ends it and waits: the
// last denials are in the log then.
func (s *Server) runBackground(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, remote := range s.remotes {
		running.Go(func() { remote.Run(ctx) })
	}
	running.Go(func() { s.failures.Run(ctx) })
	running.Go(func() { s.telemetry.Run(ctx) })
	purger := s.purger()
	running.Go(func() { purger.Run(ctx) })
	if s.certificate != nil {
		running.Go(func() { s.certificate.Run(ctx) })
	}
	running.Go(func() { s.storage.Keyset.Run(ctx, s.config.Log) })
	return func() {
		cancel()
		running.Wait()
	}
}

// purger deletes what has expired. Its metrics begin at zero.
func (s *Server) purger() *retention.Purger {
	rules := []retention.Rule{s.store.ExpiredKeys()}
	if s.config.EventRetention > 0 {
		rules = append(rules, s.store.OldEvents(s.config.EventRetention))
	}
	for _, rule := range rules {
		s.telemetry.RecordExpired(rule.Table, 0, 0)
	}
	return &retention.Purger{
		Transact: s.storage.DB.TransactExclusive,
		Rules:    rules,
		Record:   s.telemetry.RecordExpired,
		Log:      s.config.Log,
	}
}

func (s *Server) open(ctx context.Context) (err error) {
	if s.telemetry, err = telemetry.New(ctx, s.config.telemetry()); err != nil {
		return err
	}
	if err := s.openCertificate(ctx); err != nil {
		return err
	}
	if err := s.bind(ctx); err != nil {
		return err
	}
	if s.storage, err = storage.Open(ctx, s.config.Storage); err != nil {
		return err
	}
	signingKeys := issuer.Database{Read: s.storage.DB.Read, Transact: s.storage.DB.Serialise, Log: s.config.Log}
	if s.issuer, err = issuer.OpenOrCreate(ctx, signingKeys, s.storage.Keyset); err != nil {
		return err
	}
	if err := s.openStore(ctx); err != nil {
		return err
	}
	s.registerGauges()
	handler, err := s.handler()
	if err != nil {
		return err
	}
	s.http, err = transport.NewHTTPServer(handler, s.config.IdleTimeout, s.config.Log)
	return err
}

// openStore makes the store of the clients.
func (s *Server) openStore(ctx context.Context) error {
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
		MaxClients:        s.config.MaxClientsPerOrganisation,
		MaxUnpaged:        s.config.MaxUnpagedList,
		Log:               s.config.Log,
		Clock:             clock,
	})
	return err
}

func (s *Server) openCertificate(ctx context.Context) (err error) {
	if s.config.TLSCert == "" {
		return nil
	}
	s.certificate, err = certificate.Open(ctx, s.config.TLSCert, s.config.TLSKey, s.config.Clock, s.config.Log)
	if err != nil {
		return err
	}
	s.telemetry.WatchCertificate(s.certificate.NotAfter)
	return nil
}

// bind binds the addresses, so that one that is taken is an error before anything
// was made.
func (s *Server) bind(ctx context.Context) (err error) {
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.config.Addr); err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	scheme := "http"
	if s.certificate != nil {
		scheme = "https"
	}
	s.url = cmp.Or(s.config.PublicURL, scheme+"://"+s.listener.Addr().String())
	if s.config.MetricsAddr == "" {
		return nil
	}
	return s.telemetry.Listen(ctx, s.config.MetricsAddr)
}

func (s *Server) registerGauges() {
	database := telemetry.Database{
		Pools:      s.storage.DB.Pools(),
		MaxClients: s.config.MaxClientsPerOrganisation,
		Clock:      s.config.Clock,
		Totals: func(ctx context.Context) (telemetry.Totals, error) {
			totals, err := s.store.Totals(ctx)
			return telemetry.Totals(totals), err
		},
	}
	if s.storage.DatabaseFile != "" {
		database.WALFile = s.storage.DatabaseFile + "-wal"
	}
	s.telemetry.RegisterGauges(database)
}

func (s *Server) serve() (err error) {
	if s.certificate != nil {
		s.http.TLSConfig.GetCertificate = s.certificate.Get
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// drain reports on /readyz that the server is not ready, and keeps serving until
// balancers can have noticed. Then it refuses new calls, which go to another
// replica, while running calls finish. It stops listening last: until then somebody
// may ask /readyz. Requests without a token get only publicDrainTimeout.
func (s *Server) drain(ctx context.Context) error {
	s.draining.Store(true)
	time.Sleep(s.config.ShutdownDelay)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.DrainTimeout)
	defer cancel()
	s.stack.Drain(ctx)
	publicCtx, cancel := context.WithTimeout(ctx, publicDrainTimeout)
	defer cancel()
	err := s.http.Shutdown(publicCtx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil:
		s.config.Log.InfoContext(ctx, "did not wait longer for requests without a token")
		return s.http.Close()
	default:
		return errors.Join(fmt.Errorf("drain: calls still ran after %v: %w", s.config.DrainTimeout, err), s.http.Close())
	}
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
