package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"clientsd/server/auth"
	"clientsd/server/nearest"
	"clientsd/server/telemetry"
)

// A TrustedIssuer is an issuer whose tokens are accepted, and what they look like.
type TrustedIssuer struct {
	// URL is the name of the issuer: the `iss` of its tokens, to the letter.
	// Required.
	URL string
	// JWKSURL is where its keys are. Empty: found by discovery.
	JWKSURL string
	// Audiences are what the audience of its tokens must contain one of. Empty:
	// Config.Audience.
	Audiences []string
	// Format says what its tokens look like.
	Format auth.TokenFormat
}

// validateIssuers refuses what would trust too much, and what cannot work.
func (c Config) validateIssuers() error {
	anyAudience := func(issuer TrustedIssuer) bool {
		return c.Audience == "" && len(issuer.Audiences) == 0 || slices.Contains(issuer.Audiences, "")
	}
	if slices.ContainsFunc(c.Issuers, anyAudience) {
		return errors.New("--issuer: --audience is needed too, or tokens meant for other services would be accepted")
	}
	var errs []error
	for i, issuer := range c.Issuers {
		named := func(other TrustedIssuer) bool { return other.URL == issuer.URL }
		if slices.ContainsFunc(c.Issuers[:i], named) {
			errs = append(errs, fmt.Errorf("--issuer %s: given twice", issuer.URL))
			continue
		}
		err := c.validateIssuer(issuer)
		said := func(other error) bool { return err != nil && other != nil && other.Error() == err.Error() }
		if !slices.ContainsFunc(errs, said) { // what is said of all issuers is wrong once
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c Config) validateIssuer(issuer TrustedIssuer) error {
	if err := (auth.RemoteConfig{Issuer: issuer.URL}).Validate(); err != nil {
		return fmt.Errorf("--issuer %s: %w", issuer.URL, err)
	}
	if err := (auth.RemoteConfig{Issuer: issuer.URL, JWKSURL: issuer.JWKSURL}).Validate(); err != nil {
		return fmt.Errorf("--jwks-url %s: %w", issuer.JWKSURL, err)
	}
	return errors.Join(
		validateAlgorithms(issuer.Format.Algorithms),
		validateClaim("--organisation-claim", issuer.Format.OrganisationClaim),
		validateClaim("--audience-claim", issuer.Format.AudienceClaim),
		validateScopeClaim(issuer),
		c.validateScopeMap(issuer.Format.ScopeMap),
	)
}

func validateAlgorithms(names []string) error {
	for _, name := range names {
		if !slices.Contains(auth.Algorithms(), name) {
			return fmt.Errorf("--token-algorithms %q: must be one of %s", name, strings.Join(auth.Algorithms(), ", "))
		}
	}
	return nil
}

func validateClaim(flag, name string) error {
	if name == "" {
		return nil
	}
	if err := auth.ValidateClaimName(name); err != nil {
		return fmt.Errorf("%s %q: %w", flag, name, err)
	}
	return nil
}

func validateScopeClaim(issuer TrustedIssuer) error {
	claim := issuer.Format.ScopeClaim
	if auth.IsIdentity(claim) && len(issuer.Format.ScopeMap) == 0 {
		return fmt.Errorf("--scope-claim %s: says who the caller is, not what it may do; "+
			"--scope-map must say for each of the callers of %s which scope it has", claim, issuer.URL)
	}
	return validateClaim("--scope-claim", claim)
}

// validateScopeMap refuses a scope that opens nothing.
func (c Config) validateScopeMap(scopes map[string][]string) error {
	var errs []error
	for _, from := range slices.Sorted(maps.Keys(scopes)) {
		for _, scope := range scopes[from] {
			if scope != c.SecretReadScope && !slices.Contains(auth.Scopes(), scope) {
				errs = append(errs, fmt.Errorf("--scope-map %q: there is no scope %q%s",
					from+"="+scope, scope, nearest.DidYouMean(scope, auth.Scopes())))
			}
		}
	}
	return errors.Join(errs...)
}

// verifier accepts the tokens of the configured issuers or, if there are none,
// of the built-in one.
func (s *Server) verifier() (*auth.Verifier, error) {
	issuers := []auth.Issuer{auth.Local(s.issuer)}
	if len(s.config.Issuers) > 0 {
		var err error
		if issuers, err = s.remoteIssuers(); err != nil {
			return nil, err
		}
	}
	return auth.NewVerifier(auth.Config{
		Issuers:             issuers,
		Audience:            s.config.Audience,
		RequireOrganisation: s.config.RequireOrganisation,
		Now:                 s.config.Clock,
	})
}

// remoteIssuers fetch their keys in the background once the server runs.
func (s *Server) remoteIssuers() ([]auth.Issuer, error) {
	issuers := make([]auth.Issuer, len(s.config.Issuers))
	for i, trusted := range s.config.Issuers {
		keys, err := auth.NewRemoteKeys(auth.RemoteConfig{
			Issuer:     trusted.URL,
			JWKSURL:    trusted.JWKSURL,
			Algorithms: trusted.Format.Algorithms,
			Logger:     s.config.Log,
		})
		if err != nil {
			return nil, fmt.Errorf("--issuer %s: %w", trusted.URL, err)
		}
		s.remotes = append(s.remotes, keys)
		s.telemetry.WatchIssuer(telemetry.Issuer{Name: keys.Name(), Keys: keys.Usable, Failures: keys.Failures})
		issuers[i] = auth.Issuer{Name: trusted.URL, Key: keys.Key, Audiences: trusted.Audiences, Format: trusted.Format}
	}
	return issuers, nil
}

// issuersAway returns how many issuers there are whose tokens cannot be verified
// now.
func (s *Server) issuersAway() (away int) {
	for _, remote := range s.remotes {
		if remote.Usable() == 0 {
			away++
		}
	}
	return away
}
