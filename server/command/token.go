package command

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"clientsd/server/issuer"
	"clientsd/server/storage"
)

// Token mints an access token with the key in the database.
type Token struct {
	dataFlags

	Scope        string        `required:"" placeholder:"SCOPES" help:"Scopes of the token, separated by spaces."`
	Subject      string        `default:"urn:xeonr:serviceaccount:cli" help:"Who the token stands for."`
	Organisation string        `placeholder:"ORG" help:"Organisation of the caller. Default: none in the token, which counts as the organisation default."`
	ClientID     string        `name:"client-id" placeholder:"ID" help:"Client the token is issued to; with the scope oauth:clients:rotate:self it may rotate its own secret."`
	Audience     string        `default:"clientsd" help:"The service the token is for, as in serve --audience."`
	TTL          time.Duration `name:"ttl" default:"1h" help:"How long the token is valid, 1s to 720h. It cannot be revoked."`
}

// Help is shown by token --help.
func (Token) Help() string {
	return `Prints the token and nothing else. Works beside a running server, which has made the key.

Scopes:

    oauth:clients:read     see clients, never their secrets
    oauth:clients:manage   create, change, delete and rotate clients, and receive their secrets
    oauth:clients:rotate   rotate secrets and receive the new ones, nothing else
    oauth:clients:rotate:self
                           the same for the client of --client-id only
    oauth:clients:verify   ask whether a secret is valid
    admin                  mark clients as verified, and act in other organisations on ZITADEL's API
    project.app.write      rotate on ZITADEL's API
    client:manage          rotate on Vigilo's API

Examples:

    clientsd token --scope oauth:clients:verify --ttl 5m
    TOKEN=$(clientsd token --data-dir ./clientsd-data --scope "oauth:clients:manage oauth:clients:read" --organisation acme)`
}

// Run prints a token to standard output.
func (c Token) Run(env *Environment) (err error) {
	scopes := strings.Fields(c.Scope)
	if len(scopes) == 0 || c.Subject == "" {
		return errors.New("--scope and --subject: must not be empty")
	}
	opened, err := storage.Open(env.Context, c.storage(false))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	signer, err := issuer.Open(env.Context, issuer.Database{Read: opened.DB.Read, Transact: opened.DB.Serialise}, opened.Keyset)
	if err != nil {
		return err
	}
	token, err := signer.Mint(env.Context, issuer.Grant{
		Subject:      c.Subject,
		Audience:     c.Audience,
		Scopes:       scopes,
		Organisation: c.Organisation,
		ClientID:     c.ClientID,
		TTL:          c.TTL,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, token)
	return err
}
