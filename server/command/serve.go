package command

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"time"

	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/nearest"
	"clientsd/server/storage"
)

// Serve runs the service until its context ends.
type Serve struct {
	dataFlags
	postgresFlags
	issuerFlags
	logFlags

	AcceptRollback bool `help:"Accept a database that was restored from a backup. Run clientsd rollback list first. Needed once."`

	Addr           string `default:"127.0.0.1:8080" help:"Address to listen on: HTTP/1.1, HTTP/2, gRPC and gRPC-Web on one port."`
	PublicURL      string `placeholder:"URL" help:"URL under which callers reach the service. Logo URLs begin with it. Default: from the address."`
	TLSCert        string `name:"tls-cert" placeholder:"FILE" help:"Certificate in PEM. With --tls-key the port speaks TLS."`
	TLSKey         string `name:"tls-key" placeholder:"FILE" help:"Private key of the certificate in PEM."`
	AllowPlaintext bool   `help:"Allow plain text on an address that is not loopback, behind a proxy that encrypts."`

	SecretReadScope string `default:"oauth:clients:manage" help:"Scope that GetClient needs to show a secret, in addition to oauth:clients:read."`

	API              []string      `sep:"," default:"xeonr,zitadel,vigilo" enum:"xeonr,zitadel,vigilo" aliases:"face" env:"CLIENTSD_API,CLIENTSD_FACE" help:"APIs to serve: ${enum}. May repeat ($$${env})."`
	SecretPrefix     string        `default:"sk_live_" help:"Prefix of new secrets: up to 32 letters, digits and _."`
	MaxSecretOverlap time.Duration `default:"30d" help:"Longest time that a rotation may keep the previous secret valid; 0 or less: never. Until its end, another rotation with an overlap is refused unless it sets replacePrevious."`
	EventRetention   time.Duration `default:"0s" help:"How long to keep events, such as 90d, and at least 1d. The events that issued a client's current secret and the one before it are always kept. 0s: keep all for ever."`
	CORSOrigin       []string      `name:"cors-origin" sep:"," placeholder:"ORIGIN" help:"Allow calls from web pages of this origin; * allows all. May repeat."`
	Timeout          time.Duration `default:"4s" help:"Deadline of a call that sets none, at most 60s. A deadline that a caller sets counts up to 60s."`
	FailureRate      int           `default:"20" help:"Bad tokens from an address, or wrong secrets of an organisation from an address or for a client, per second before the answer is resource_exhausted; a burst may be ten times as many. An expired token is not counted."`
	MaxInFlight      int           `default:"1024" help:"Most calls with a token that the server works on concurrently. Further calls are answered unavailable."`
	MaxUnpagedList   int           `default:"5000" help:"Most clients in the answer to a ListClients without pageSize. A longer list is refused: PAGE_SIZE_REQUIRED."`
	ShutdownDelay    time.Duration `default:"0s" help:"How long to serve after a stop, while /readyz fails: longer than a load balancer needs to notice."`
	DrainTimeout     time.Duration `default:"20s" help:"How long to wait for running calls after a stop."`

	TrustedProxy       []string      `sep:"," placeholder:"CIDR" help:"Network or address of the proxies in front, such as 10.0.0.0/8. The caller is then the right-most address in --trusted-proxy-header that is not one of them. Only name proxies that add to that header. May repeat."`
	TrustedProxyHeader string        `placeholder:"NAME" help:"Header to which each trusted proxy adds the address that called it. Default: X-Forwarded-For."`
	IdleTimeout        time.Duration `default:"60s" help:"How long a connection stays open without a call: longer than a proxy in front keeps it."`

	MaxClientsPerOrganisation int `placeholder:"N" help:"Most clients of an organisation. A further CreateClient is answered resource_exhausted. Rotations and changes are not. Default: no limit."`

	MetricsAddr      string `placeholder:"HOST:PORT" help:"Serve /metrics for Prometheus on this address, in plain text and to everybody: use an internal network. Default: no metrics address."`
	TrustRemoteSpans bool   `help:"Continue the trace in a caller's traceparent, instead of a new trace with a link to it."`
}

// postgresFlags say how serve uses PostgreSQL.
type postgresFlags struct {
	DatabaseMaxConnections     int           `default:"20" help:"Most open connections to PostgreSQL."`
	DatabaseIdleConnections    int           `placeholder:"N" help:"Unused connections to PostgreSQL that stay open. Default: all."`
	DatabaseConnectionLifetime time.Duration `default:"30m" help:"Longest use of a connection to PostgreSQL, 1s to 24h."`
	StatementTimeout           time.Duration `default:"4s" help:"Longest time of a statement in PostgreSQL, and of an idle transaction, 1ms to 24h."`
	LockTimeout                time.Duration `default:"3s" help:"Longest wait for a lock in PostgreSQL, 1ms to 24h."`
	Migrate                    bool          `help:"Migrate PostgreSQL before serving, as clientsd migrate does. SQLite is always migrated."`
	RequireSyncStandby         bool          `help:"Start only if PostgreSQL waits for a standby before it acknowledges a commit."`
}

// storage returns the configuration of the storage.
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

// Help returns the text of serve --help.
func (Serve) Help() string {
	return `Runs the service. The first run creates the data folder, a keyset and a database. Later runs migrate the database if needed.

With --database-url, several servers share one PostgreSQL database and one keyset. They create neither: see clientsd keyset create and clientsd migrate.

The first SIGTERM or Ctrl-C lets running calls finish. A second one stops immediately. The files of certificate and keyset may be replaced at any time: the server follows them, and SIGHUP makes it read them now.

A flag written [ISSUER=]VALUE applies to every issuer, or only to ISSUER. Write ISSUER exactly as in --issuer. Commas separate values. docs/issuers.md has the flags for Keycloak, Auth0, Okta, Entra ID, ZITADEL, Hydra, Cognito and GitHub Actions.

Set the standard OTEL_* variables to send traces and metrics to an OpenTelemetry collector.

Examples:

    clientsd serve
    clientsd serve --addr 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem
    clientsd serve --issuer https://login.example.com \
      --audience https://clients.example.com
    clientsd serve --issuer https://acme.eu.auth0.com/ \
      --audience https://clients.example.com --scope-claim permissions
    clientsd serve --addr 0.0.0.0:8080 --allow-plaintext \
      --trusted-proxy 10.0.0.0/8
    CLIENTSD_ADDR=127.0.0.1:9090 CLIENTSD_LOG_FORMAT=json clientsd serve
    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 \
      clientsd serve --metrics-addr 127.0.0.1:9464
    CLIENTSD_DATABASE_URL=postgres://clientsd@db.example.com/clientsd \
      clientsd serve --keyset keyset.json`
}

// Validate refuses a bound of zero, which for the server would be its default.
func (c Serve) Validate() error {
	return errors.Join(
		positive("--timeout", c.Timeout),
		positive("--failure-rate", c.FailureRate),
		positive("--max-in-flight", c.MaxInFlight),
		positive("--max-unpaged-list", c.MaxUnpagedList),
		positive("--drain-timeout", c.DrainTimeout),
		positive("--idle-timeout", c.IdleTimeout),
		positive("--database-max-connections", c.DatabaseMaxConnections),
		positive("--database-connection-lifetime", c.DatabaseConnectionLifetime),
		positive("--statement-timeout", c.StatementTimeout),
		positive("--lock-timeout", c.LockTimeout),
	)
}

// Run serves until the environment's context ends.
func (c Serve) Run(env *Environment) error {
	hangups, stop := catchHangups()
	defer stop()
	log, err := c.logger(env)
	if err != nil {
		return err
	}
	for _, warning := range env.Warnings {
		log.Warn(warning)
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
	c.announce(env, log, s)
	go reload(env.Context, hangups, s)
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
		MaxSecretOverlap:    cmp.Or(c.MaxSecretOverlap, -1), // of the server, zero is the default
		EventRetention:      c.EventRetention,
		RequireOrganisation: c.RequireOrganisation,
		APIs:                c.API,
		CORSOrigins:         c.CORSOrigin,
		TrustedProxies:      c.TrustedProxy,
		TrustedProxyHeader:  c.TrustedProxyHeader,
		IdleTimeout:         c.IdleTimeout,
		Timeout:             c.Timeout,
		FailureRate:         c.FailureRate,
		MaxInFlight:         c.MaxInFlight,
		MaxUnpagedList:      c.MaxUnpagedList,

		MaxClientsPerOrganisation: c.MaxClientsPerOrganisation,

		ShutdownDelay:    c.ShutdownDelay,
		DrainTimeout:     c.DrainTimeout,
		MetricsAddr:      c.MetricsAddr,
		TrustRemoteSpans: c.TrustRemoteSpans,
		Log:              log,
	}
}

// announce logs what an operator must know about this start.
func (c Serve) announce(env *Environment, log *slog.Logger, s *server.Server) {
	opened := s.Storage()
	if opened.Created {
		log.Info("created a new database; back it up, and its keyset in another place: without the keyset no secret can be shown again",
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
	if url := s.MetricsURL(); url != "" {
		log.Info("serving metrics", "metrics_url", url)
	}
	log.Info("serving", "url", s.URL(), "version", env.Version, "database", opened.DB.Name(), "clients", countClients(env, log, opened))
	if len(c.Issuer) == 0 {
		c.hint(env, log, "accepting tokens of the built-in issuer only; mint one with", c.tokenCommand(env))
	} else {
		c.hint(env, log, "accepting tokens of --issuer only; ask if its keys are loaded with", commandLine(env, "healthcheck", "--url", s.URL()))
	}
}

// tokenCommand returns how to mint a token that this server accepts.
func (c Serve) tokenCommand(env *Environment) string {
	words := []string{"token", "--scope", auth.ScopeManage + " " + auth.ScopeRead}
	if len(c.Audience) > 0 {
		words = append(words, "--audience", c.Audience[0])
	}
	if c.RequireOrganisation {
		words = append(words, "--organisation", auth.DefaultOrganisation)
	}
	return c.command(env, words...)
}

// countClients returns -1 if the clients cannot be counted, which is no reason not
// to serve them.
func countClients(env *Environment, log *slog.Logger, opened *storage.Storage) int {
	clients, err := opened.DB.Read.OAuthClient.Query().Count(env.Context)
	if err != nil {
		log.Warn("cannot count the clients", "error", err)
		return -1
	}
	return clients
}
