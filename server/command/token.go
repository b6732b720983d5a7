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
	Audience     string        `default:"clientsd" help:"The service the token is for, as in serve --audience."`
	TTL          time.Duration `name:"ttl" default:"1h" help:"How long the token is valid, 1s to 720h. It cannot be revoked."`
}

// Help is shown by token --help.
func (Token) Help() string {
	return `Prints the token and nothing else. Works beside a running server, which has made the key.

Scopes:

    oauth:clients:read     see clients, never their secrets
    oauth:clients:manage   create, change, delete and rotate clients, and receive their secrets
    oauth:clients:verify   ask whether a secret is valid
    admin                  mark clients as verified

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
	signer, err := issuer.Open(env.Context, opened.DB.Read, opened.Keyset)
	if err != nil {
		return err
	}
	token, err := signer.Mint(issuer.Grant{
		Subject:      c.Subject,
		Audience:     c.Audience,
		Scopes:       scopes,
		Organisation: c.Organisation,
		TTL:          c.TTL,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, token)
	return err
}
