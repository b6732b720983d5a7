package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/nearest"
	"clientsd/server/oauthclient"
	"clientsd/server/storage"
)

// Token mints an access token with the key in the database.
type Token struct {
	dataFlags

	Scope              string        `required:"" placeholder:"SCOPES" help:"Scopes of the token, separated by spaces."`
	AllowUnknownScopes bool          `help:"Allow scopes that clientsd does not know, such as another one of serve --secret-read-scope."`
	Subject            string        `default:"urn:xeonr:serviceaccount:cli" help:"Subject of the token: who it stands for."`
	Organisation       string        `placeholder:"ORG" help:"Organisation of the caller. Default: none in the token, which counts as the organisation default."`
	ClientID           string        `name:"client-id" placeholder:"ID" help:"Client the token is issued to; with the scope oauth:clients:rotate:self it may rotate its own secret."`
	Audience           string        `default:"clientsd" help:"The service the token is for, as in serve --audience."`
	TTL                time.Duration `name:"ttl" default:"1h" help:"How long the token is valid, 1s to 30d. It cannot be revoked."`
}

// Help returns the text of token --help.
func (Token) Help() string {
	return `Prints a token and nothing else. Run serve first: it creates the key. The server may run meanwhile.

The database records who has minted which token: docs/operations.md says how to see it. The token itself is not stored.

Scopes:

    oauth:clients:read     see clients, never their secrets
    oauth:clients:manage   create, change, delete, rotate; receive secrets
    oauth:clients:rotate   rotate secrets and receive the new ones, nothing else
    oauth:clients:rotate:self
                           the same for the client of --client-id only
    oauth:clients:verify   ask whether a secret is valid
    admin                  mark clients as verified; with ZITADEL's API act in
                           other organisations
    project.app.write      rotate on ZITADEL's API
    client:manage          rotate on Vigilo's API

Examples:

    clientsd token --scope oauth:clients:verify --ttl 5m
    TOKEN=$(clientsd token --data-dir ./clientsd-data --organisation acme \
      --scope "oauth:clients:manage oauth:clients:read")`
}

// Validate refuses a lifetime out of range.
func (c Token) Validate() error {
	if c.TTL < time.Second || c.TTL > issuer.MaxTTL {
		return fmt.Errorf("--ttl %v: must be 1s to 30d", c.TTL)
	}
	return nil
}

// Run prints a token to standard output.
func (c Token) Run(env *Environment) (err error) {
	scopes := strings.Fields(c.Scope)
	if err := c.check(scopes); err != nil {
		return err
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
	if err := c.checkClient(env.Context, opened, scopes); err != nil {
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
	if err := c.checkAccepted(env.Context, signer, token); err != nil {
		return err
	}
	if err := c.record(env.Context, opened); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, token)
	return err
}

// record records the token before anybody has it.
func (c Token) record(ctx context.Context, opened *storage.Storage) error {
	clock, err := opened.DB.Clock(ctx, time.Now)
	if err != nil {
		return err
	}
	host, _ := os.Hostname() // empty if it has no name
	err = oauthclient.RecordToken(ctx, opened.DB.Transact, oauthclient.MintedToken{
		At:           clock(),
		Operator:     operator(),
		Host:         host,
		Organisation: cmp.Or(c.Organisation, auth.DefaultOrganisation),
		Grant:        fmt.Sprintf("subject %q, scope %q, client %q, audience %q, ttl %v", c.Subject, c.Scope, c.ClientID, c.Audience, c.TTL),
	})
	if err != nil {
		return fmt.Errorf("record token: %w", err)
	}
	return nil
}

// operator returns the user of the operating system. A container may have no name
// for it.
func operator() string {
	uid := "uid " + strconv.Itoa(os.Getuid())
	if current, err := user.Current(); err == nil {
		return current.Username + " (" + uid + ")"
	}
	return uid
}

// check refuses a token that would allow nothing.
func (c Token) check(scopes []string) error {
	switch {
	case len(scopes) == 0 || c.Subject == "":
		return errors.New("--scope and --subject: must not be empty")
	case slices.Contains(scopes, auth.ScopeRotateSelf) && c.ClientID == "":
		return fmt.Errorf("--scope %s: needs --client-id, the client that may rotate its own secret", auth.ScopeRotateSelf)
	case slices.Equal(scopes, []string{auth.ScopeAdmin}):
		return fmt.Errorf("--scope %s: opens no procedure by itself; give %s or another one too", auth.ScopeAdmin, auth.ScopeManage)
	case c.AllowUnknownScopes:
		return nil
	}
	for _, scope := range scopes {
		if err := checkScope(scope); err != nil {
			return err
		}
	}
	return nil
}

// checkScope refuses a scope that no rule knows, and names the nearest one.
func checkScope(scope string) error {
	switch {
	case slices.Contains(auth.Scopes(), scope):
		return nil
	case strings.Contains(scope, ","):
		return fmt.Errorf("--scope %q: scopes are separated by spaces, not by commas", scope)
	}
	if meant := nearest.DidYouMean(scope, auth.Scopes()); meant != "" {
		return fmt.Errorf("--scope %q: there is no such scope%s", scope, meant)
	}
	return fmt.Errorf("--scope %q: there is no such scope: see clientsd token --help, or give --allow-unknown-scopes", scope)
}

// checkClient refuses a token for a client to rotate itself if the organisation
// has no such client.
func (c Token) checkClient(ctx context.Context, opened *storage.Storage, scopes []string) error {
	if !slices.Contains(scopes, auth.ScopeRotateSelf) {
		return nil
	}
	organisation := cmp.Or(c.Organisation, auth.DefaultOrganisation)
	found, err := oauthclient.Exists(ctx, opened.DB.Read, organisation, c.ClientID)
	if err == nil && !found {
		return fmt.Errorf("--client-id %s: the organisation %s has no such client", c.ClientID, organisation)
	}
	return err
}

// checkAccepted refuses a token that every server would refuse, such as one
// whose organisation cannot be printed.
func (c Token) checkAccepted(ctx context.Context, signer *issuer.Issuer, token string) error {
	verifier, err := auth.NewVerifier(auth.Config{
		Issuers:  []auth.Issuer{auth.Local(signer)},
		Audience: c.Audience,
	})
	if err != nil {
		return fmt.Errorf("--audience: %w", err)
	}
	if _, err := verifier.Verify(ctx, token); err != nil {
		return fmt.Errorf("every server would refuse this token: %w", err)
	}
	return nil
}
