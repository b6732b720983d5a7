package auth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

const (
	maxSubjectBytes      = 256
	maxIdentifierBytes   = 256
	maxOrganisationBytes = 128
	maxClaimNameBytes    = 256

	scopeClaim        = "scope"
	scpClaim          = "scp"
	audienceClaim     = "aud"
	organisationClaim = "urn:xeonr:auth:organisation_id"
	applicationClaim  = "urn:xeonr:auth:application_id"
)

// A TokenFormat says what the access tokens of one issuer look like. The zero
// value is a token of RFC 9068 with the claims of the contract.
type TokenFormat struct {
	// Algorithms are the accepted signature algorithms, of [Algorithms]. Empty:
	// [DefaultAlgorithm] alone.
	Algorithms []string
	// RequireAccessTokenType refuses a token whose header does not say that it is
	// an access token (`typ` at+jwt, RFC 9068).
	RequireAccessTokenType bool
	// AudienceClaim must contain one of the audiences. Empty: `aud`.
	AudienceClaim string
	// OrganisationClaim is the organisation of the caller. Empty:
	// `urn:xeonr:auth:organisation_id`.
	OrganisationClaim string
	// ScopeClaim holds the scopes: a text, a list of texts, or an object whose
	// members are named by them. Empty: `scope` or, if that is absent, `scp`.
	ScopeClaim string
	// ScopeMap translates what the claim holds into the scopes of this server,
	// exactly. If it is not empty, nothing counts that it does not name.
	ScopeMap map[string][]string
}

// ValidateClaimName refuses a name that an error message could not quote.
func ValidateClaimName(name string) error {
	unprintable := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	if name == "" || len(name) > maxClaimNameBytes || strings.ContainsFunc(name, unprintable) {
		return errors.New("must be the name of a claim: up to 256 printable ASCII characters without spaces and quotes")
	}
	return nil
}

// Validate refuses what would trust an unknown algorithm, or a claim that says who
// the caller is as if it said what the caller may do.
func (f TokenFormat) Validate() error {
	for _, name := range f.Algorithms {
		if !slices.Contains(Algorithms(), name) {
			return fmt.Errorf("signature algorithm %q is not one of %s", name, list(Algorithms()))
		}
	}
	for _, name := range []string{f.AudienceClaim, f.OrganisationClaim, f.ScopeClaim} {
		if name != "" && ValidateClaimName(name) != nil {
			return fmt.Errorf("claim %q: %w", name, ValidateClaimName(name))
		}
	}
	if IsIdentity(f.ScopeClaim) && len(f.ScopeMap) == 0 {
		return fmt.Errorf("the claim %s says who the caller is: only a map makes scopes of it", f.ScopeClaim)
	}
	return nil
}

// IsIdentity reports whether a claim says who somebody is, by a registered name.
// Who can choose that would choose the scopes.
func IsIdentity(claim string) bool {
	switch claim {
	case "sub", "azp", "client_id", "iss", "jti", "email", "preferred_username", "name", "nickname":
		return true
	default:
		return false
	}
}

// withDefaults fills what was left empty.
func (f TokenFormat) withDefaults() TokenFormat {
	f.AudienceClaim = cmp.Or(f.AudienceClaim, audienceClaim)
	f.OrganisationClaim = cmp.Or(f.OrganisationClaim, organisationClaim)
	if len(f.Algorithms) == 0 {
		f.Algorithms = []string{DefaultAlgorithm}
	}
	return f
}

// checkAudience refuses a token that is meant for others.
func (f TokenFormat) checkAudience(c claims, audiences []string) error {
	meant, found, err := c.texts(f.AudienceClaim)
	switch {
	case err != nil:
		return err
	case !found:
		return refuse(claimNoAudience + in(f.AudienceClaim))
	case !slices.ContainsFunc(meant, func(name string) bool { return slices.Contains(audiences, name) }):
		return refuse(claimAudience + in(f.AudienceClaim))
	default:
		return nil
	}
}

// principal returns the caller that the claims name, checked.
func (f TokenFormat) principal(issuer string, c claims, requireOrganisation bool) (*Principal, error) {
	p := &Principal{Issuer: issuer, Organisation: DefaultOrganisation}
	var err error
	if p.Subject, err = readName(c, "sub", claimSubject, maxSubjectBytes); err != nil {
		return nil, err
	}
	if p.Subject == "" {
		return nil, refuse(claimSubject + in("sub"))
	}
	if p.ClientID, err = readClient(c); err != nil {
		return nil, err
	}
	if p.ApplicationID, err = readName(c, applicationClaim, claimApplication, maxIdentifierBytes); err != nil {
		return nil, err
	}
	if err := f.readOrganisation(c, p, requireOrganisation); err != nil {
		return nil, err
	}
	p.scopes, err = f.scopes(c)
	return p, err
}

// readClient returns the `client_id` or, without one, the `azp`.
func readClient(c claims) (string, error) {
	for _, claim := range []string{"client_id", "azp"} {
		if id, err := readName(c, claim, claimClient, maxIdentifierBytes); id != "" || err != nil {
			return id, err
		}
	}
	return "", nil
}

func (f TokenFormat) readOrganisation(c claims, p *Principal, required bool) error {
	_, found := c.get(f.OrganisationClaim)
	if !found && !required {
		return nil
	}
	name, err := readName(c, f.OrganisationClaim, claimOrganisation, maxOrganisationBytes)
	if err == nil && name == "" {
		err = refuse(claimOrganisation + in(f.OrganisationClaim))
	}
	p.Organisation = name
	return err
}

// readName returns a claim that is a name, or empty if it is absent. It refuses a
// name that is too long or not printable.
func readName(c claims, claim, unusable string, maxBytes int) (string, error) {
	name, _, err := c.text(claim)
	if err == nil && !isName(name, maxBytes) {
		return "", refuse(unusable + in(claim))
	}
	return name, err
}

// isName says whether s is short enough and printable throughout, so that it
// can be stored and logged as it is. U+FFFD stands for bytes that were no
// UTF-8, which would make two names one.
func isName(s string, maxBytes int) bool {
	return len(s) <= maxBytes && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar
	})
}

// scopes returns the scopes of this server that the token was granted.
func (f TokenFormat) scopes(c claims) ([]string, error) {
	granted, err := f.granted(c)
	if err != nil || len(f.ScopeMap) == 0 {
		return granted, err
	}
	var mapped []string
	for _, name := range granted {
		mapped = append(mapped, f.ScopeMap[name]...)
	}
	return mapped, nil
}

// granted returns the scopes by the issuer's names. The configured claim is the
// only one: two claims are never united.
func (f TokenFormat) granted(c claims) ([]string, error) {
	if f.ScopeClaim != "" {
		if names, isObject := c.members(f.ScopeClaim); isObject {
			return names, nil
		}
		return scopeNames(c, f.ScopeClaim)
	}
	if _, found := c.get(scopeClaim); found {
		return scopeNames(c, scopeClaim)
	}
	return scopeNames(c, scpClaim)
}

// scopeNames returns the names in a claim. A text is split at its spaces in `scope`
// and `scp` alone, as their standards say: in any other claim, as `sub`, somebody
// may have chosen a part of the text, with a space in it.
func scopeNames(c claims, claim string) ([]string, error) {
	if claim == scopeClaim || claim == scpClaim {
		if text, found, err := c.text(claim); found && err == nil {
			return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }), nil
		}
	}
	names, _, err := c.texts(claim)
	return slices.DeleteFunc(names, func(name string) bool { return name == "" }), err
}
