package auth

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const maxVerifiedTokens = 4096

// KeyRef names a key of an issuer, and the algorithm that it is to verify. A key
// is never used for another one.
type KeyRef struct {
	ID, Algorithm string
}

// Issuer is one trusted source of access tokens.
type Issuer struct {
	// Name is what the `iss` claim must be, to the letter.
	Name string
	// Key returns the public key of that name: an *rsa.PublicKey, an
	// *ecdsa.PublicKey or an ed25519.PublicKey. It is called for every request
	// and must answer immediately: from memory, as [RemoteKeys.Key] does. It
	// returns [ErrUnknownKey] if the issuer does not publish such a key, and
	// [ErrUnusableKey] if it does, but the key is good for nothing; any other
	// error counts as [ErrKeysUnavailable].
	Key func(ctx context.Context, ref KeyRef) (crypto.PublicKey, error)
	// Audiences are those that the tokens of this issuer are accepted for. Empty:
	// that of Config.
	Audiences []string
	// Format says what the tokens look like.
	Format TokenFormat
}

// A LocalIssuer knows its own RSA keys.
type LocalIssuer interface {
	// Name is the `iss` of its tokens.
	Name() string
	// Key returns the key of that id, or nil if it is not known.
	Key(ctx context.Context, keyID string) *rsa.PublicKey
	// Loaded is as of when the keys are known: another process may have made a key
	// since.
	Loaded() time.Time
}

// localInterval is how long it takes a [LocalIssuer] to hear of a new key.
const localInterval = time.Second

// Local makes an Issuer of one that runs in this process.
func Local(local LocalIssuer) Issuer {
	return Issuer{Name: local.Name(), Key: func(ctx context.Context, ref KeyRef) (crypto.PublicKey, error) {
		if found := local.Key(ctx, ref.ID); found != nil {
			return found, nil
		}
		return nil, &UnknownKeyError{AsOf: local.Loaded(), RetryAfter: localInterval}
	}}
}

// Config says which access tokens a Verifier accepts.
type Config struct {
	// Issuers are the trusted issuers, at least one, no name twice.
	Issuers []Issuer
	// Audience is what the audience of a token must contain, unless its issuer has
	// audiences of its own.
	Audience string
	// RequireOrganisation refuses a token without an organisation instead of
	// counting it to [DefaultOrganisation].
	RequireOrganisation bool
	// Now tells the time. Nil: time.Now.
	Now func() time.Time
}

// Verifier verifies access tokens: JWTs as RFC 9068 and RFC 8725 want them. It is
// safe for concurrent use.
type Verifier struct {
	issuers             map[string]Issuer
	requireOrganisation bool
	now                 func() time.Time

	// verified remembers tokens by their SHA-256, never themselves, because
	// the RSA operation and the JSON of a token cost as much as all the rest
	// of a GetClient. What can change is asked again for every request: the
	// time, and whether the issuer still publishes the key.
	verified *lru.Cache[[sha256.Size]byte, *verifiedToken]
}

// verifiedToken is a token whose signature and claims are good, and the key
// that says so.
type verifiedToken struct {
	ref       KeyRef
	key       crypto.PublicKey
	lifetime  lifetime
	principal Principal
}

// NewVerifier refuses a configuration that would trust nobody, trust one name
// twice, or accept tokens meant for others.
func NewVerifier(cfg Config) (*Verifier, error) {
	issuers, err := issuersByName(cfg)
	if err != nil {
		return nil, err
	}
	verified, err := lru.New[[sha256.Size]byte, *verifiedToken](maxVerifiedTokens)
	if err != nil {
		return nil, fmt.Errorf("create cache of verified tokens: %w", err)
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	return &Verifier{issuers, cfg.RequireOrganisation, now, verified}, nil
}

func issuersByName(cfg Config) (map[string]Issuer, error) {
	if len(cfg.Issuers) == 0 {
		return nil, errors.New("no token issuer is configured")
	}
	named := make(map[string]Issuer, len(cfg.Issuers))
	for _, issuer := range cfg.Issuers {
		if issuer.Name == "" || issuer.Key == nil {
			return nil, errors.New("a token issuer lacks its name or its keys")
		}
		if _, taken := named[issuer.Name]; taken {
			return nil, fmt.Errorf("token issuer %q is configured twice", issuer.Name)
		}
		if len(issuer.Audiences) == 0 {
			issuer.Audiences = []string{cfg.Audience}
		}
		if slices.Contains(issuer.Audiences, "") {
			return nil, errors.New("no token audience is configured")
		}
		if err := issuer.Format.Validate(); err != nil {
			return nil, fmt.Errorf("token issuer %q: %w", issuer.Name, err)
		}
		issuer.Format = issuer.Format.withDefaults()
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
// token was verified with, so that a key it removes is refused immediately.
func (v *Verifier) isStillTrusted(ctx context.Context, token *verifiedToken) bool {
	key, err := v.issuers[token.principal.Issuer].Key(ctx, token.ref)
	return err == nil && sameKey(key, token.key)
}

// verify checks everything but the dates against the clock. Of the unverified
// claims the issuer is used, to choose the key that decides, and of a token whose
// key is not known when it says that it was issued: see unknownKey.
func (v *Verifier) verify(ctx context.Context, token string) (*verifiedToken, error) {
	parsed, err := parseToken(token)
	if err != nil {
		return nil, err
	}
	issuer, ok := v.issuers[parsed.issuer]
	if !ok {
		return nil, refuse(tokenIssuer)
	}
	if err := parsed.checkFormat(issuer.Format); err != nil {
		return nil, err
	}
	ref := KeyRef{ID: parsed.header.KeyID, Algorithm: parsed.header.Algorithm}
	key, err := v.key(ctx, issuer, ref, parsed.claims)
	if err != nil {
		return nil, err
	}
	if err := parsed.verifySignature(key); err != nil {
		return nil, err
	}
	if err := issuer.Format.checkAudience(parsed.claims, issuer.Audiences); err != nil {
		return nil, err
	}
	lifetime, err := parsed.claims.lifetime()
	if err != nil {
		return nil, err
	}
	principal, err := issuer.Format.principal(issuer.Name, parsed.claims, v.requireOrganisation)
	if err != nil {
		return nil, err
	}
	principal.ExpiresAt = lifetime.expires
	return &verifiedToken{ref, key, lifetime, *principal}, nil
}

// key returns the key of a trusted issuer.
func (v *Verifier) key(ctx context.Context, issuer Issuer, ref KeyRef, unverified claims) (crypto.PublicKey, error) {
	key, err := issuer.Key(ctx, ref)
	switch {
	case err == nil:
		return key, nil
	case errors.Is(err, ErrUnusableKey):
		return nil, refuse(tokenUnusableKey)
	case errors.Is(err, ErrUnknownKey):
		return nil, v.unknownKey(err, unverified)
	case errors.Is(err, ErrKeysUnavailable):
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
}

// unknownKey decides about a token whose key is not known. If the token is younger
// than what is known of its issuer, the issuer may have a new key: that is not the
// caller's fault, and passes.
//
// Anyone can claim any `iat`, which gains them no more than that answer. One in the
// future, which could claim it for ever, gains nothing.
func (v *Verifier) unknownKey(err error, unverified claims) error {
	var unknown *UnknownKeyError
	issuedAt, found, dateErr := unverified.date("iat")
	// The iat has no fraction of a second: within one it may be the younger.
	if !errors.As(err, &unknown) || dateErr != nil || !found ||
		issuedAt.Before(unknown.AsOf.Truncate(time.Second)) || issuedAt.After(v.now().Add(leeway)) {
		return refuse(tokenUnknownKey)
	}
	return &UnavailableError{Description: keyNotYetKnown, RetryAfter: unknown.RetryAfter}
}
