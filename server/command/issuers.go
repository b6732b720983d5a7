package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"clientsd/server"
	"clientsd/server/auth"
)

// issuerFlags say whose tokens are accepted, and what they look like.
//
// A flag with a VALUE for each issuer is written [ISSUER=]VALUE: the text before
// the first equals sign is an ISSUER if it is one of --issuer, to the letter. What is
// given for an issuer takes the place of what is given for all. Several values are
// separated by commas, or the flag is repeated; the ISSUER before a comma holds for
// what follows, until another one is named.
type issuerFlags struct {
	Issuer              []string `sep:"," placeholder:"URL" help:"Accept the tokens of this issuer instead of the built-in one. May repeat. docs/issuers.md has the flags for many issuers."`
	JWKSURL             []string `name:"jwks-url" sep:"," placeholder:"URL" help:"Where the issuer's keys are; one for each --issuer, in order. Default: by discovery."`
	Audience            []string `sep:"none" placeholder:"[ISSUER=]NAME" help:"What the audience of a token must contain. Default: clientsd with the built-in issuer; required with --issuer. May repeat."`
	AudienceClaim       []string `sep:"none" placeholder:"[ISSUER=]CLAIM" help:"Claim that holds the audience. Default: aud."`
	RequireOrganisation bool     `help:"Refuse tokens without an organisation. Otherwise they belong to the organisation default."`
	OrganisationClaim   []string `sep:"none" placeholder:"[ISSUER=]CLAIM" help:"Claim that holds the organisation of the caller. Default: urn:xeonr:auth:organisation_id."`
	ScopeClaim          []string `sep:"none" placeholder:"[ISSUER=]CLAIM" help:"The one claim that holds the scopes: a text, a list, or an object with the scopes as its names. Default: scope or, without it, scp."`
	ScopeMap            []string `sep:"none" placeholder:"[ISSUER=]FROM=TO" help:"Count what the issuer calls FROM, exactly, as the scope TO. With a map nothing else of the issuer counts. May repeat."`
	TokenAlgorithms     []string `sep:"none" placeholder:"[ISSUER=]NAME" help:"Accept these signatures: RS256, ES256, PS256, EdDSA. Default: RS256 alone. May repeat."`
	RequireTokenType    []string `sep:"none" placeholder:"[ISSUER=]at+jwt" help:"Refuse tokens whose header does not say that they are access tokens (RFC 9068)."`
}

// perIssuer is what one flag says of each issuer; of the empty name, of all that
// it does not name.
type perIssuer map[string][]string

// of returns what the flag says of one issuer.
func (p perIssuer) of(issuer string) []string {
	if own, ok := p[issuer]; ok {
		return own
	}
	return p[""]
}

// trusted returns the issuers, and the audience of the built-in one.
func (f issuerFlags) trusted() (issuers []server.TrustedIssuer, audience string, err error) {
	if len(f.Issuer) == 0 {
		audience, err = f.builtIn()
		return nil, audience, err
	}
	if len(f.JWKSURL) > 0 && len(f.JWKSURL) != len(f.Issuer) {
		return nil, "", fmt.Errorf("--jwks-url: %d given for %d issuers; give one for each --issuer, in the same order, or none",
			len(f.JWKSURL), len(f.Issuer))
	}
	issuers = make([]server.TrustedIssuer, len(f.Issuer))
	var errs []error
	for i, url := range f.Issuer {
		issuers[i].URL = url
		if len(f.JWKSURL) > 0 {
			issuers[i].JWKSURL = f.JWKSURL[i]
		}
	}
	for _, flag := range f.perIssuer() {
		said, err := f.parse(flag)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for i := range issuers {
			if err := flag.set(&issuers[i], said.of(issuers[i].URL)); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", flag.name, err))
				break // the same for the next, if it is for all
			}
		}
	}
	return issuers, "", errors.Join(errs...)
}

// builtIn returns the audience, and refuses what the built-in issuer leaves no
// choice in.
func (f issuerFlags) builtIn() (audience string, err error) {
	if len(f.JWKSURL) > 0 {
		return "", errors.New("--jwks-url: needs --issuer")
	}
	for _, flag := range f.perIssuer() {
		if len(flag.given) > 0 && flag.name != audienceFlag {
			return "", fmt.Errorf("%s: needs --issuer; what the tokens of the built-in issuer look like is known", flag.name)
		}
	}
	if len(f.Audience) > 1 {
		return "", errors.New("--audience: the built-in issuer has one only")
	}
	return strings.Join(f.Audience, ""), nil
}

const (
	audienceFlag = "--audience"
	scopeMapFlag = "--scope-map"
)

// issuerFlag is one flag that is written [ISSUER=]VALUE.
type issuerFlag struct {
	name  string
	given []string
	set   func(issuer *server.TrustedIssuer, values []string) error
}

func (f issuerFlags) perIssuer() []issuerFlag {
	return []issuerFlag{
		{audienceFlag, f.Audience, func(i *server.TrustedIssuer, values []string) error {
			i.Audiences = values
			return nil
		}},
		{"--audience-claim", f.AudienceClaim, func(i *server.TrustedIssuer, values []string) error {
			return one(&i.Format.AudienceClaim, values)
		}},
		{"--organisation-claim", f.OrganisationClaim, func(i *server.TrustedIssuer, values []string) error {
			return one(&i.Format.OrganisationClaim, values)
		}},
		{"--scope-claim", f.ScopeClaim, func(i *server.TrustedIssuer, values []string) error {
			return one(&i.Format.ScopeClaim, values)
		}},
		{scopeMapFlag, f.ScopeMap, setScopeMap},
		{"--token-algorithms", f.TokenAlgorithms, func(i *server.TrustedIssuer, values []string) error {
			i.Format.Algorithms = values
			return nil
		}},
		{"--require-token-type", f.RequireTokenType, setTokenType},
	}
}

// one sets a text that there is only one of.
func one(target *string, values []string) error {
	if len(values) > 1 {
		return fmt.Errorf("there is one for each issuer only, not %s", strings.Join(values, " and "))
	}
	*target = strings.Join(values, "")
	return nil
}

// setScopeMap splits at the last equals sign: none of our scopes has one.
func setScopeMap(issuer *server.TrustedIssuer, values []string) error {
	scopes := make(map[string][]string, len(values))
	for _, value := range values {
		at := strings.LastIndex(value, "=")
		if at < 1 || at == len(value)-1 {
			return fmt.Errorf("%q: must be FROM=TO, such as clients.write=%s", value, auth.ScopeManage)
		}
		from := value[:at]
		scopes[from] = append(scopes[from], value[at+1:])
	}
	issuer.Format.ScopeMap = scopes
	return nil
}

func setTokenType(issuer *server.TrustedIssuer, values []string) error {
	for _, value := range values {
		if value != "at+jwt" {
			return fmt.Errorf("%q: must be at+jwt, the type of an access token", value)
		}
	}
	issuer.Format.RequireAccessTokenType = len(values) > 0
	return nil
}

// parse reads the values of a flag.
func (f issuerFlags) parse(flag issuerFlag) (perIssuer, error) {
	said := perIssuer{}
	for _, text := range flag.given {
		issuer := ""
		for _, part := range kong.SplitEscaped(text, ',') {
			named, value := f.cutIssuer(strings.TrimSpace(part))
			if named != "" {
				issuer = named
			} else if stranger := strangerIn(flag.name, value); stranger != "" {
				return nil, fmt.Errorf("%s %q: %s is not one of --issuer, which are %s", flag.name, part, stranger, strings.Join(f.Issuer, ", "))
			}
			if value == "" {
				return nil, fmt.Errorf("%s %q: must not be empty", flag.name, part)
			}
			said[issuer] = append(said[issuer], value)
		}
	}
	return said, nil
}

// cutIssuer splits [ISSUER=]VALUE. Of two issuers of which one begins with the other
// and an equals sign, it takes the longer one.
func (f issuerFlags) cutIssuer(text string) (issuer, value string) {
	value = text
	for _, name := range f.Issuer {
		if rest, ok := strings.CutPrefix(text, name+"="); ok && len(name) > len(issuer) {
			issuer, value = name, rest
		}
	}
	return issuer, value
}

// strangerIn returns what stands where an issuer would, but is none, or empty. A
// scope may be a URL, so that a scope map is taken for one with an issuer only if it
// has an equals sign too many.
func strangerIn(flag, value string) string {
	before, rest, found := strings.Cut(value, "=")
	isURL := strings.HasPrefix(before, "https://") || strings.HasPrefix(before, "http://")
	switch {
	case !found:
		return ""
	case flag == scopeMapFlag && (!isURL || !strings.Contains(rest, "=")), flag == audienceFlag && !isURL:
		return ""
	default:
		return before
	}
}
