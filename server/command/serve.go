package command

import (
	"log/slog"
	"slices"
	"time"

	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/nearest"
	"clientsd/server/storage"
)

// Serve runs the service until it is told to stop.
type Serve struct {
	dataFlags
	postgresFlags
	issuerFlags
	logFlags

	AcceptRollback bool `help:"Serve a database that was restored from a backup; look at clientsd rollback list first. Needed once."`

	Addr           string `default:"127.0.0.1:8080" help:"Where to listen: HTTP/1.1, HTTP/2, gRPC and gRPC-Web on one port."`
	PublicURL      string `placeholder:"URL" help:"URL callers reach the service under; logo URLs begin with it. Default: made from the address."`
	TLSCert        string `name:"tls-cert" placeholder:"FILE" help:"Certificate in PEM. With --tls-key the port speaks TLS."`
	TLSKey         string `name:"tls-key" placeholder:"FILE" help:"Private key of the certificate in PEM."`
	AllowPlaintext bool   `help:"Allow plain text on an address that is not loopback, behind a proxy that encrypts."`

	SecretReadScope string `default:"oauth:clients:manage" help:"Scope that GetClient needs to show a secret, beside oauth:clients:read."`

	API              []string      `sep:"," default:"xeonr,zitadel,vigilo" enum:"xeonr,zitadel,vigilo" aliases:"face" env:"CLIENTSD_API,CLIENTSD_FACE" help:"APIs to serve: ${enum}. May repeat ($$${env})."`
	SecretPrefix     string        `default:"sk_live_" help:"What new secrets begin with: letters, digits and _, up to 32."`
	MaxSecretOverlap time.Duration `default:"30d" help:"Longest a rotation may leave the previous secret valid; negative: not at all."`
	CORSOrigin       []string      `name:"cors-origin" sep:"," placeholder:"ORIGIN" help:"Let pages of this origin call; * for all. May repeat."`
	Timeout          time.Duration `default:"4s" help:"Deadline of a call that brings none."`
	FailureRate      int           `default:"20" help:"Bad tokens from an address, or wrong secrets of an organisation from an address or for a client, per second before the answer is resource_exhausted; a burst may be ten times as many. An expired token is not counted."`
	MaxInFlight      int           `default:"1024" help:"Concurrent calls; one more is answered unavailable."`
	ShutdownDelay    time.Duration `default:"0s" help:"How long a stop goes on serving once /readyz says no: longer than a balancer takes to notice."`
	DrainTimeout     time.Duration `default:"20s" help:"How long a stop waits for running calls."`

	MetricsAddr      string `placeholder:"HOST:PORT" help:"Serve /metrics for Prometheus here, in plain text and to everybody: an address of an internal network. Default: nowhere."`
	TrustRemoteSpans bool   `help:"Continue the trace that a caller's traceparent names, instead of beginning one that links to it."`
}

// postgresFlags say how a server uses PostgreSQL.
type postgresFlags struct {
	DatabaseMaxConnections     int           `default:"20" help:"Open connections to PostgreSQL."`
	DatabaseIdleConnections    int           `placeholder:"N" help:"Connections to PostgreSQL that stay open while nobody needs them. Default: all."`
	DatabaseConnectionLifetime time.Duration `default:"30m" help:"How long a connection to PostgreSQL is used, 1s to 24h."`
	StatementTimeout           time.Duration `default:"4s" help:"How long PostgreSQL may work on a statement, and a transaction may be idle, 1ms to 24h."`
	LockTimeout                time.Duration `default:"3s" help:"How long PostgreSQL may wait for a lock, 1ms to 24h."`
	Migrate                    bool          `help:"Migrate PostgreSQL before serving, as clientsd migrate does. A file is always migrated."`
	RequireSyncStandby         bool          `help:"Refuse to start unless PostgreSQL waits for a standby before it acknowledges a commit."`
}

// storage is where the data is and how to use it.
func (c Serve) storage() storage.Config {
	config := c.dataFlags.storage(true)
	config.Postgres.MaxConnections = c.DatabaseMaxConnections
	config.Postgres.IdleConnections = c.DatabaseIdleConnections
	config.Postgres.ConnectionLifetime = c.DatabaseConnectionLifetime
	config.Postgres.StatementTimeout = c.StatementTimeout
	config.Postgres.LockTimeout = c.LockTimeout
	config.Migrate = c.Migrate
	config.RequireSyncStandby = c.RequireSyncStandby
	if c.AcceptRollback {
		config.RestorePolicy = storage.AcceptRestored
	}
	return config
}

// Help is shown by serve --help.
func (Serve) Help() string {
	return `The first run makes the data folder, a keyset and a database; later ones migrate the database if they have to. With --database-url several servers share one PostgreSQL database and one keyset, and none of them makes anything: see clientsd keyset create and clientsd migrate. The first SIGTERM or Ctrl-C lets running calls finish, a second one does not.

A flag that is written [ISSUER=]VALUE is for every issuer, or for the one that is named: one of --issuer, to the letter. Commas separate values. docs/issuers.md has the flags for Keycloak, Auth0, Okta, Entra ID, ZITADEL, Hydra, Cognito and GitHub Actions.

Traces and metrics go to an OpenTelemetry collector if the standard OTEL_* variables ask for it, and nowhere otherwise.

Examples:

    clientsd serve
    clientsd serve --addr 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem
    clientsd serve --issuer https://login.example.com --audience https://clients.example.com
    clientsd serve --issuer https://acme.eu.auth0.com/ --audience https://clients.example.com --scope-claim permissions
    CLIENTSD_ADDR=127.0.0.1:9090 CLIENTSD_LOG_FORMAT=json clientsd serve
    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 clientsd serve --metrics-addr 127.0.0.1:9464
    CLIENTSD_DATABASE_URL=postgres://clientsd@db.example.com/clientsd clientsd serve --keyset keyset.json`
}

// Run serves until the environment's context ends.
func (c Serve) Run(env *Environment) error {
	log, err := c.logger(env)
	if err != nil {
		return err
	}
	config := c.config(log)
	if config.Issuers, config.Audience, err = c.trusted(); err != nil {
		return err
	}
	config.Version = env.Version
	s, err := server.New(env.Context, config)
	if err != nil {
		c.showRestored(env, err)
		return err
	}
	announceRestored(env.Context, log, s.Storage().Restored, c.AcceptRollback)
	c.announce(log, s)
	err = s.Run(env.Context)
	log.Info("stopped")
	return err
}

func (c Serve) config(log *slog.Logger) server.Config {
	return server.Config{
		Addr:                c.Addr,
		PublicURL:           c.PublicURL,
		TLSCert:             c.TLSCert,
		TLSKey:              c.TLSKey,
		AllowPlaintext:      c.AllowPlaintext,
		Storage:             c.storage(),
		SecretPrefix:        c.SecretPrefix,
		SecretReadScope:     c.SecretReadScope,
		MaxSecretOverlap:    c.MaxSecretOverlap,
		RequireOrganisation: c.RequireOrganisation,
		APIs:                c.API,
		CORSOrigins:         c.CORSOrigin,
		Timeout:             c.Timeout,
		FailureRate:         c.FailureRate,
		MaxInFlight:         c.MaxInFlight,
		ShutdownDelay:       c.ShutdownDelay,
		DrainTimeout:        c.DrainTimeout,
		MetricsAddr:         c.MetricsAddr,
		TrustRemoteSpans:    c.TrustRemoteSpans,
		Log:                 log,
	}
}

// announce tells the operator what a first run has made and must be kept.
func (c Serve) announce(log *slog.Logger, s *server.Server) {
	opened := s.Storage()
	if opened.Created {
		log.Info("made a new database; back it up, and its keyset apart from it: without the keyset no secret can be shown again",
			"database", opened.DatabaseFile, "keyset", opened.KeysetFile)
	}
	if opened.Migrated > 0 {
		log.Info("migrated the database", "migrations", opened.Migrated)
	}
	for _, warning := range opened.Warnings {
		log.Warn(warning, "database", opened.DB.Name())
	}
	if scope := c.SecretReadScope; scope != "" && !slices.Contains(auth.Scopes(), scope) {
		log.Warn("no other rule than that of GetClient knows the scope of --secret-read-scope"+nearest.DidYouMean(scope, auth.Scopes()), "scope", scope)
	}
	if len(c.Issuer) == 0 {
		log.Info("accepting tokens of the built-in issuer only; mint one with",
			"command", c.command("token")+` --scope "oauth:clients:manage oauth:clients:read"`)
	}
	if url := s.MetricsURL(); url != "" {
		log.Info("serving metrics", "metrics_url", url)
	}
	log.Info("serving", "url", s.URL())
}
