package issuer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/signingkey"
)

// MaxTTL bounds how long a minted token is valid: it cannot be revoked.
const MaxTTL = 30 * 24 * time.Hour

// A Grant says what a token is to allow whom.
type Grant struct {
	// Subject is the sub. Required.
	Subject string
	// Audience is the aud: the service the token is for. Required.
	Audience string
	// Scopes is the scope. Empty: the token allows nothing.
	Scopes []string
	// Organisation is the organisation of the caller. Empty: the token does not
	// name one.
	Organisation string
	// ClientID is the client the token is issued to. Empty: the token names none.
	ClientID string
	// TTL is how long the token is valid from now: one second to MaxTTL.
	TTL time.Duration
}

// claims are those of the wire contract's access tokens.
type claims struct {
	jwt.Claims

	// Audience is always a list; go-jose alone would write a single one as text.
	Audience     []string `json:"aud"`
	Scope        string   `json:"scope"`
	Organisation string   `json:"urn:xeonr:auth:organisation_id,omitempty"`
	ClientID     string   `json:"client_id,omitempty"`
}

// Mint signs an access token (RFC 9068) with the newest key, and sees to it that
// the key is known until the token has expired. It fails if the grant's TTL is
// out of its range.
func (i *Issuer) Mint(ctx context.Context, grant Grant) (string, error) {
	if grant.TTL < time.Second || grant.TTL > MaxTTL {
		return "", fmt.Errorf("mint token: ttl %v is out of range, 1s to 30d is allowed", grant.TTL)
	}
	signing, err := i.reserve(ctx, time.Now().Add(grant.TTL))
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	options := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", signing.newest.ID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: signing.private}, options)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(i.claims(grant)).Serialize()
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	return token, nil
}

// reserve returns keys of which the newest stays known until a token expires:
// another process may make a newer one meanwhile. It writes once for all tokens
// of an hour.
func (i *Issuer) reserve(ctx context.Context, expiry time.Time) (*keys, error) {
	for {
		signing := i.current.Load()
		if signing.privateErr != nil {
			return nil, signing.privateErr
		}
		if until := signing.newest.TokensUntil; until != nil && !expiry.After(*until) {
			return signing, nil
		}
		if err := i.extend(ctx, signing.newest.ID, expiry.Truncate(time.Hour).Add(time.Hour).UTC()); err != nil {
			return nil, err
		}
		if err := i.reload(ctx); err != nil {
			return nil, err
		}
	}
}

func (i *Issuer) extend(ctx context.Context, keyID string, until time.Time) error {
	return i.db.Transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		return tx.SigningKey.Update().
			Where(signingkey.ID(keyID), signingkey.Or(signingkey.TokensUntilIsNil(), signingkey.TokensUntilLT(until))).
			SetTokensUntil(until).
			Exec(ctx)
	})
}

func (i *Issuer) claims(grant Grant) claims {
	now := time.Now()
	return claims{
		Claims: jwt.Claims{
			Issuer:    i.Name(),
			Subject:   grant.Subject,
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			Expiry:    jwt.NewNumericDate(now.Add(grant.TTL)),
			ID:        uuid.NewString(),
		},
		Audience:     []string{grant.Audience},
		Scope:        strings.Join(grant.Scopes, " "),
		Organisation: grant.Organisation,
		ClientID:     grant.ClientID,
	}
}
