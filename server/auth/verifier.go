package auth

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const maxVerifiedTokens = 4096

// Issuer is one trusted source of access tokens.
type Issuer struct {
	// Name is what the `iss` claim must be, to the letter.
	Name string
	// Key returns the public key of that id. It is called for every request
	// and must answer at once: from memory, as [RemoteKeys.Key] does. It
	// returns [ErrUnknownKey] if the issuer does not publish such a key; any
	// other error counts as [ErrKeysUnavailable].
	Key func(ctx context.Context, keyID string) (*rsa.PublicKey, error)
}

// Config says which access tokens a Verifier accepts.
type Config struct {
	// Issuers are the trusted issuers, at least one, no name twice.
	Issuers []Issuer
	// Audience is what the `aud` claim must contain.
	Audience string
	// RequireOrganisation refuses a token without an organisation instead of
	// counting it to [DefaultOrganisation].
	RequireOrganisation bool
	// Now tells the time. Nil: time.Now.
	Now func() time.Time
}

// Verifier verifies access tokens: RS256 JWTs as RFC 9068 and RFC 8725 want
// them. It is safe for concurrent use.
type Verifier struct {
	issuers             map[string]Issuer
	audience            string
	requireOrganisation bool
	now                 func() time.Time

	// verified remembers tokens by their SHA-256, never themselves, because
	// the RSA operation and the JSON of a token cost as much as all the rest
	// of a GetClient. What can change is asked anew for every request: the
	// time, and whether the issuer still publishes the key.
	verified *lru.Cache[[sha256.Size]byte, *verifiedToken]
}

// verifiedToken is a token whose signature and claims are good, and the key
// that says so.
type verifiedToken struct {
	keyID     string
	key       *rsa.PublicKey
	lifetime  lifetime
	principal Principal
}

// NewVerifier refuses a configuration that would trust nobody, trust one name
// twice, or accept tokens meant for others.
func NewVerifier(cfg Config) (*Verifier, error) {
	issuers, err := issuersByName(cfg.Issuers)
	if err != nil {
		return nil, err
	}
	if cfg.Audience == "" {
		return nil, errors.New("no token audience is configured")
	}
	verified, err := lru.New[[sha256.Size]byte, *verifiedToken](maxVerifiedTokens)
	if err != nil {
		return nil, fmt.Errorf("create cache of verified tokens: %w", err)
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	return &Verifier{issuers, cfg.Audience, cfg.RequireOrganisation, now, verified}, nil
}

func issuersByName(issuers []Issuer) (map[string]Issuer, error) {
	if len(issuers) == 0 {
		return nil, errors.New("no token issuer is configured")
	}
	named := make(map[string]Issuer, len(issuers))
	for _, issuer := range issuers {
		if issuer.Name == "" || issuer.Key == nil {
			return nil, errors.New("a token issuer lacks its name or its keys")
		}
		if _, taken := named[issuer.Name]; taken {
			return nil, fmt.Errorf("token issuer %q is configured twice", issuer.Name)
		}
		named[issuer.Name] = issuer
	}
	return named, nil
}

// Authenticate verifies the bearer token of a request. Beside the errors of
// [Verifier.Verify] it returns [ErrNoToken].
func (v *Verifier) Authenticate(ctx context.Context, header http.Header) (*Principal, error) {
	token, err := BearerToken(header)
	if err != nil {
		return nil, err
	}
	return v.Verify(ctx, token)
}

// Verify returns the caller that an access token names. It returns a
// [TokenError] if the token is refused and [ErrKeysUnavailable] if that could
// not be decided.
func (v *Verifier) Verify(ctx context.Context, token string) (*Principal, error) {
	if len(token) > maxTokenBytes {
		return nil, refuse(tokenTooLarge)
	}
	digest := sha256.Sum256([]byte(token))
	known, ok := v.verified.Get(digest)
	if !ok || !v.isStillTrusted(ctx, known) {
		var err error
		if known, err = v.verify(ctx, token); err != nil {
			return nil, err
		}
		v.verified.Add(digest, known)
	}
	if err := known.lifetime.check(v.now()); err != nil {
		return nil, err
	}
	principal := known.principal
	return &principal, nil
}

// isStillTrusted says whether the issuer publishes the very key that the
// token was verified with, so that a key it removes is refused at once.
func (v *Verifier) isStillTrusted(ctx context.Context, token *verifiedToken) bool {
	key, err := v.issuers[token.principal.Issuer].Key(ctx, token.keyID)
	return err == nil && (key == token.key || token.key.Equal(key)) // to compare the numbers costs ten times as much
}

// verify checks everything but the dates against the clock. Of the unverified
// claims only the issuer is used, to choose the key that decides.
func (v *Verifier) verify(ctx context.Context, token string) (*verifiedToken, error) {
	parsed, err := parseToken(token)
	if err != nil {
		return nil, err
	}
	key, err := v.key(ctx, parsed.claims.Issuer, parsed.keyID)
	if err != nil {
		return nil, err
	}
	if err := parsed.verifySignature(key); err != nil {
		return nil, err
	}
	if !parsed.claims.Audience.Contains(v.audience) {
		return nil, refuse(claimAudience)
	}
	lifetime, err := parsed.claims.lifetime()
	if err != nil {
		return nil, err
	}
	principal, err := parsed.claims.principal(v.requireOrganisation)
	if err != nil {
		return nil, err
	}
	principal.ExpiresAt = lifetime.expires
	return &verifiedToken{parsed.keyID, key, lifetime, principal}, nil
}

// key returns the key of a trusted issuer.
func (v *Verifier) key(ctx context.Context, issuer, keyID string) (*rsa.PublicKey, error) {
	trusted, ok := v.issuers[issuer]
	if !ok {
		return nil, refuse(tokenIssuer)
	}
	key, err := trusted.Key(ctx, keyID)
	switch {
	case err == nil:
		return key, nil
	case errors.Is(err, ErrUnknownKey):
		return nil, refuse(tokenUnknownKey)
	case errors.Is(err, ErrKeysUnavailable):
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
}
