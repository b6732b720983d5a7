package issuer

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
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
}

// Mint signs an access token (RFC 9068). It fails if the grant's TTL is out of
// its range.
func (i *Issuer) Mint(grant Grant) (string, error) {
	if grant.TTL < time.Second || grant.TTL > MaxTTL {
		return "", fmt.Errorf("mint token: ttl %v is out of range, 1s to %v is allowed", grant.TTL, MaxTTL)
	}
	options := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", i.keyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: i.private}, options)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(i.claims(grant)).Serialize()
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	return token, nil
}

func (i *Issuer) claims(grant Grant) claims {
	now := time.Now()
	return claims{
		Claims: jwt.Claims{
			Issuer:    i.name,
			Subject:   grant.Subject,
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			Expiry:    jwt.NewNumericDate(now.Add(grant.TTL)),
			ID:        uuid.NewString(),
		},
		Audience:     []string{grant.Audience},
		Scope:        strings.Join(grant.Scopes, " "),
		Organisation: grant.Organisation,
	}
}
