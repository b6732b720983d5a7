package auth

import (
	"context"
	"slices"
	"time"
)

// DefaultOrganisation is the organisation of a token that names none.
const DefaultOrganisation = "default"

// Principal is the caller of a request, as a verified access token names it.
type Principal struct {
	// Issuer is the `iss` claim: one of the configured issuers, exactly.
	Issuer string
	// Subject is the `sub` claim. Unique only together with Issuer.
	Subject string
	// ClientID is the `client_id` claim or, without one, `azp`. May be empty.
	ClientID string
	// Organisation is the `urn:xeonr:auth:organisation_id` claim, or
	// DefaultOrganisation. Never empty.
	Organisation string
	// ApplicationID is the `urn:xeonr:auth:application_id` claim. May be empty.
	ApplicationID string
	// ExpiresAt is the `exp` claim. The token is accepted for 30 s longer.
	ExpiresAt time.Time

	scopes []string
}

// HasScope says whether the token was granted exactly this scope. No scope
// implies another. A nil Principal has none.
func (p *Principal) HasScope(scope string) bool {
	return p != nil && slices.Contains(p.scopes, scope)
}

// PrincipalFrom returns the caller that [Middleware] or [WithPrincipal] put
// into the context; false on a public procedure, even if a token was sent.
func PrincipalFrom(ctx context.Context) (*Principal, bool) {
	principal, ok := ctx.Value(principalKey{}).(*Principal)
	return principal, ok
}

// WithPrincipal returns a context that carries the caller, for APIs that
// authenticate without [Middleware].
func WithPrincipal(ctx context.Context, principal *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, principal)
}

type principalKey struct{}
