package auth

import (
	"context"
	"slices"
	"strings"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
)

// The scopes. None implies another but where it says so: managing clients does
// not include reading them.
const (
	// ScopeRead allows to see clients, without their secrets.
	ScopeRead = "oauth:clients:read"
	// ScopeManage allows to create, change and delete clients, to rotate
	// their secrets and to receive them.
	ScopeManage = "oauth:clients:manage"
	// ScopeRotate allows to rotate secrets and receive the new ones, and nothing
	// else. ScopeManage includes it.
	ScopeRotate = "oauth:clients:rotate"
	// ScopeRotateSelf is ScopeRotate for the client that the token was issued to.
	ScopeRotateSelf = "oauth:clients:rotate:self"
	// ScopeVerify allows to ask whether a secret is valid.
	ScopeVerify = "oauth:clients:verify"
	// ScopeAppWrite is ZITADEL's name for what ScopeManage allows on its API.
	ScopeAppWrite = "project.app.write"
	// ScopeClientManage is Vigilo's name for what ScopeManage allows on its API.
	ScopeClientManage = "client:manage"
	// ScopeAdmin allows to set whether a client is verified. It opens no
	// procedure by itself.
	ScopeAdmin = "admin"
)

// Scopes returns every scope that a rule knows, the ones that most callers need
// first.
func Scopes() []string {
	return []string{
		ScopeRead, ScopeManage, ScopeRotate, ScopeRotateSelf, ScopeVerify,
		ScopeAdmin, ScopeAppWrite, ScopeClientManage,
	}
}

// Rule says who may call one procedure.
type Rule struct {
	// Public opens the procedure to everyone; the other fields are ignored.
	Public bool
	// Scope is the scope every call needs.
	Scope string
	// Or is a smaller scope that does as well. Empty: none.
	Or string
	// And is a second scope that every call needs. Empty: none.
	And string
	// Self allows a call with this message to the holder of a token that was
	// issued to the client the message is about, with ScopeRotateSelf. Nil: no.
	Self func(msg any) (clientID string)
	// Also returns a second scope that a call with this message needs, or
	// the empty string. Nil: none does.
	Also func(msg any) string
}

// Alternatives returns the sets of scopes that allow a call, the smallest first. One
// set is enough. Some sets allow only some calls: see Self and Also. Empty for a
// public procedure.
func (r Rule) Alternatives() [][]string {
	if r.Public {
		return nil
	}
	sets := r.sets(r.Self != nil)
	if r.Also != nil {
		sets = append(sets, r.sets(r.Self != nil, r.Also(nil))...)
	}
	return sets
}

// sets returns the sets of scopes that are enough, the smallest first. self includes
// the one for the client that the token was issued to. Each set has also too.
func (r Rule) sets(self bool, also ...string) [][]string {
	var sets [][]string
	if self {
		sets = append(sets, []string{ScopeRotateSelf})
	}
	if r.Or != "" {
		sets = append(sets, []string{r.Or})
	}
	sets = append(sets, []string{r.Scope})
	for i := range sets {
		for _, scope := range append([]string{r.And}, also...) {
			if scope != "" && !slices.Contains(sets[i], scope) {
				sets[i] = append(sets[i], scope)
			}
		}
	}
	return sets
}

// Rules says who may call which procedure, by its path: "/service/Method". A
// procedure without a rule is denied to everyone.
type Rules map[string]Rule

// NewRules returns the rules of every procedure of this server.
// secretReadScope is the scope that GetClient needs in addition to [ScopeRead] when
// the message asks for the secret; empty: [ScopeManage].
func NewRules(secretReadScope string) Rules {
	if secretReadScope == "" {
		secretReadScope = ScopeManage
	}
	return Rules{
		apiv1connect.ClientsServiceRegenerateSecretProcedure:  {Scope: ScopeManage, Or: ScopeRotate, Self: rotated},
		apiv1connect.ClientsServiceCreateClientProcedure:      {Scope: ScopeManage},
		apiv1connect.ClientsServiceGetClientProcedure:         {Scope: ScopeRead, Also: forSecret(secretReadScope)},
		apiv1connect.ClientsServiceListClientsProcedure:       {Scope: ScopeRead},
		apiv1connect.ClientsServiceUpdateClientProcedure:      {Scope: ScopeManage},
		apiv1connect.ClientsServiceDeleteClientProcedure:      {Scope: ScopeManage},
		apiv1connect.ClientsServiceUploadClientLogoProcedure:  {Scope: ScopeManage},
		apiv1connect.ClientsServiceGetPublicClientsProcedure:  {Public: true},
		clientsdv1connect.SecretsServiceVerifySecretProcedure: {Scope: ScopeVerify},
		clientsdv1connect.SecretsServiceFindSecretProcedure:   {Scope: ScopeRead, And: ScopeVerify},

		clientsdv1connect.SecretsServiceRevokePreviousSecretProcedure: {Scope: ScopeManage},
		clientsdv1connect.SecretsServiceListClientEventsProcedure:     {Scope: ScopeRead},

		managementv1connect.ManagementServiceRegenerateOIDCClientSecretProcedure: {Scope: ScopeManage, Or: ScopeAppWrite},
	}
}

// rotated returns the client whose secret a message asks to rotate, or empty.
func rotated(msg any) string {
	req, _ := msg.(*apiv1.RegenerateSecretRequest)
	return req.GetClientId()
}

// forSecret asks for the scope unless the message is sure to want no secret.
func forSecret(scope string) func(msg any) string {
	return func(msg any) string {
		if req, ok := msg.(*apiv1.GetClientRequest); ok && !req.GetIncludeSecret() {
			return ""
		}
		return scope
	}
}

// Authorise says whether the caller in the context may call the procedure
// with this message. It returns [ErrNotAllowed] if nobody may, [ErrNoToken] if
// the context holds no caller, and a [ScopeError] naming every scope that would do.
func (r Rules) Authorise(ctx context.Context, procedure string, msg any) error {
	rule, ok := r[procedure]
	if !ok {
		return ErrNotAllowed
	}
	if rule.Public {
		return nil
	}
	principal, ok := PrincipalFrom(ctx)
	if !ok {
		return ErrNoToken
	}
	return rule.authorise(principal, msg)
}

// opens says whether one of the scopes that are enough is there.
func (r Rule) opens(principal *Principal, msg any) bool {
	if principal.HasScope(r.Scope) || r.Or != "" && principal.HasScope(r.Or) {
		return true
	}
	return r.Self != nil && principal.HasScope(ScopeRotateSelf) &&
		principal.ClientID != "" && strings.EqualFold(r.Self(msg), principal.ClientID)
}

// checkScope returns the error of authorise if it is the same for every message.
func (r Rule) checkScope(principal *Principal) error {
	if r.Public || r.Also != nil || r.Self != nil && principal.ClientID != "" {
		return nil
	}
	return r.authorise(principal, nil)
}

func (r Rule) authorise(principal *Principal, msg any) error {
	if !r.opens(principal, msg) || r.And != "" && !principal.HasScope(r.And) {
		return r.lacking(principal, msg)
	}
	if r.Also == nil {
		return nil
	}
	if scope := r.Also(msg); scope != "" && !principal.HasScope(scope) {
		return r.lacking(principal, msg)
	}
	return nil
}

// lacking returns the error of a call that the caller's scopes do not allow. Without
// a message, it names what allows some message. The call needs the scopes of also
// too.
func (r Rule) lacking(principal *Principal, msg any, also ...string) *ScopeError {
	self := r.Self != nil && principal.ClientID != "" && (msg == nil || strings.EqualFold(r.Self(msg), principal.ClientID))
	if r.Also != nil && msg != nil {
		also = append(also, r.Also(msg))
	}
	return NewScopeError(principal, r.sets(self, also...)...)
}
