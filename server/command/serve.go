package command

import (
	"log/slog"
	"time"

	"clientsd/server"
)

// Serve runs the service until it is told to stop.
type Serve struct {
	dataFlags
	logFlags

	Addr           string `default:"127.0.0.1:8080" help:"Where to listen: HTTP/1.1, HTTP/2, gRPC and gRPC-Web on one port."`
	PublicURL      string `placeholder:"URL" help:"URL callers reach the service under; logo URLs begin with it. Default: made from the address."`
	TLSCert        string `name:"tls-cert" placeholder:"FILE" help:"Certificate in PEM. With --tls-key the port speaks TLS."`
	TLSKey         string `name:"tls-key" placeholder:"FILE" help:"Private key of the certificate in PEM."`
	AllowPlaintext bool   `help:"Allow plain text on an address that is not loopback, behind a proxy that encrypts."`

	Issuer              []string `sep:"," placeholder:"URL" help:"Accept the tokens of this issuer instead of the built-in one. May repeat."`
	JWKSURL             []string `name:"jwks-url" sep:"," placeholder:"URL" help:"Where the issuer's keys are; one for each --issuer, in order. Default: by discovery."`
	Audience            string   `placeholder:"NAME" help:"What the aud of a token must contain. Default: clientsd with the built-in issuer; required with --issuer."`
	RequireOrganisation bool     `help:"Refuse tokens without an organisation. Otherwise they belong to the organisation default."`
	SecretReadScope     string   `default:"oauth:clients:manage" help:"Scope that GetClient needs to show a secret, beside oauth:clients:read."`

	Face             []string      `sep:"," default:"xeonr,zitadel,vigilo" enum:"xeonr,zitadel,vigilo" help:"Contracts to serve: ${enum}. May repeat."`
	SecretPrefix     string        `default:"sk_live_" help:"What new secrets begin with: letters, digits and _, up to 32."`
	MaxSecretOverlap time.Duration `default:"720h" help:"Longest a rotation may leave the previous secret valid; negative: not at all."`
	CORSOrigin       []string      `name:"cors-origin" sep:"," placeholder:"ORIGIN" help:"Let pages of this origin call; * for all. May repeat."`
	Timeout          time.Duration `default:"10s" help:"Deadline of a call that brings none."`
	FailureRate      int           `default:"20" help:"Bad tokens from an address, or wrong secrets from an address or for a client, per second before the answer is resource_exhausted; ten times as many at once."`
	MaxInFlight      int           `default:"1024" help:"Calls at once; one more is answered unavailable."`
	DrainTimeout     time.Duration `default:"20s" help:"How long a stop waits for running calls."`
}

// Help is shown by serve --help.
func (Serve) Help() string {
	return `The first run makes the data folder, a keyset and a database; later ones migrate the database if they have to. The first SIGTERM or Ctrl-C lets running calls finish, a second one does not.

Examples:

    clientsd serve
    clientsd serve --addr 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem
    clientsd serve --issuer https://login.example.com --audience https://clients.example.com
    CLIENTSD_ADDR=127.0.0.1:9090 CLIENTSD_LOG_FORMAT=json clientsd serve`
}

// Run serves until the environment's context ends.
func (c Serve) Run(env *Environment) error {
	log, err := c.logger(env)
	if err != nil {
		return err
	}
	s, err := server.New(env.Context, c.config(log))
	if err != nil {
		return err
	}
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
		Storage:             c.storage(true),
		SecretPrefix:        c.SecretPrefix,
		SecretReadScope:     c.SecretReadScope,
		MaxSecretOverlap:    c.MaxSecretOverlap,
		Issuers:             c.Issuer,
		JWKSURLs:            c.JWKSURL,
		Audience:            c.Audience,
		RequireOrganisation: c.RequireOrganisation,
		Faces:               c.Face,
		CORSOrigins:         c.CORSOrigin,
		Timeout:             c.Timeout,
		FailureRate:         c.FailureRate,
		MaxInFlight:         c.MaxInFlight,
		DrainTimeout:        c.DrainTimeout,
		Log:                 log,
	}
}

// announce tells the operator what a first run has made and must be kept.
func (c Serve) announce(log *slog.Logger, s *server.Server) {
	files := s.Storage()
	if files.Created {
		log.Info("made a new database; back it up, and its keyset apart from it: without the keyset no secret can be shown again",
			"database", files.DatabaseFile, "keyset", files.KeysetFile)
	}
	if files.Migrated > 0 {
		log.Info("migrated the database", "migrations", files.Migrated)
	}
	if len(c.Issuer) == 0 {
		log.Info("accepting tokens of the built-in issuer only; mint one with",
			"command", `clientsd token --data-dir `+c.DataDir+` --scope "oauth:clients:manage oauth:clients:read"`)
	}
	log.Info("serving", "url", s.URL())
}
