package oauthclient

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"clientsd/server/loopback"
)

// violations collects what is wrong with an input, so that a caller learns of
// every field in one answer.
type violations []Violation

func (v *violations) add(field, rule, message string) {
	*v = append(*v, Violation{Field: field, Rule: rule, Message: message})
}

// redirectURI allows https, http to a loopback host (RFC 8252, 7.3) and
// private-use schemes, which have a dot (RFC 8252, 7.1). That shuts out
// javascript:, data: and their like without a list of them.
func (v *violations) redirectURI(field, text string) {
	parsed, problem := parseURI(text)
	switch {
	case problem != "":
	case strings.Contains(text, "#"):
		problem = "must not have a fragment" // RFC 6749, 3.1.2
	case isWeb(parsed):
		problem = webProblem(parsed)
	case !strings.Contains(parsed.Scheme, "."):
		problem = "must be https, http to a loopback host, or a private-use scheme with a dot"
	case parsed.Opaque+parsed.Host+parsed.Path+parsed.RawQuery == "":
		problem = "must have a path after a private-use scheme, such as com.example.app:/callback"
	}
	if problem != "" {
		v.add(field, "redirect_uri", problem)
	}
}

func (v *violations) redirectURIs(field string, list []string) {
	for i, text := range list {
		v.redirectURI(fmt.Sprintf("%s[%d]", field, i), text)
	}
}

// logoutURI allows https and http to a loopback host (OpenID Connect
// Back-Channel Logout 1.0, 2.2). Empty means there is none.
func (v *violations) logoutURI(field, text string) {
	if text == "" {
		return
	}
	parsed, problem := parseURI(text)
	switch {
	case problem != "":
	case strings.Contains(text, "#"):
		problem = "must not have a fragment"
	case !isWeb(parsed):
		problem = "must be https, or http to a loopback host"
	default:
		problem = webProblem(parsed)
	}
	if problem != "" {
		v.add(field, "logout_uri", problem)
	}
}

// websiteURL allows http and https: people follow it, credentials never do.
func (v *violations) websiteURL(field, text string) {
	parsed, problem := parseURI(text)
	switch {
	case problem != "":
	case !isWeb(parsed):
		problem = "must be https or http"
	default:
		problem = hostProblem(parsed)
	}
	if problem != "" {
		v.add(field, "website_url", problem)
	}
}

// maxNesting bounds how deep the JSON of a binding is nested. A level is up to
// three messages on the wire, and most Protobuf libraries read no more than 100
// messages inside each other: a deeper client would spoil every list it is in.
const maxNesting = 32

// bindings refuses what JSON can spell but not every database can store, or not
// every caller can read.
func (v *violations) bindings(field string, list []Binding) {
	for i, binding := range list {
		v.text(fmt.Sprintf("%s[%d].application_id", field, i), binding.ApplicationID)
		field := fmt.Sprintf("%s[%d].config.json_config", field, i)
		nesting, hasNUL := inspect(binding.JSONConfig)
		if hasNUL {
			v.add(field, "no_nul", "must not contain the character U+0000")
		}
		if nesting > maxNesting {
			v.add(field, "nesting", fmt.Sprintf("must not be nested more than %d levels deep", maxNesting))
		}
	}
	v.configs(field, list)
}

// inspect finds how deep a JSON value is nested, and U+0000 in its names and
// strings.
func inspect(value any) (nesting int, hasNUL bool) {
	look := func(name string, member any) {
		inside, nul := inspect(member)
		nesting = max(nesting, inside)
		hasNUL = hasNUL || nul || strings.ContainsRune(name, 0)
	}
	switch v := value.(type) {
	case string:
		return 0, strings.ContainsRune(v, 0)
	case []any:
		for _, member := range v {
			look("", member)
		}
	case map[string]any:
		for name, member := range v {
			look(name, member)
		}
	default:
		return 0, false
	}
	return nesting + 1, hasNUL
}

// parseURI applies what holds for every URI we keep.
func parseURI(text string) (parsed *url.URL, problem string) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || !parsed.IsAbs():
		return nil, "must be an absolute URI"
	case parsed.User != nil:
		return nil, "must not carry a user or password"
	case strings.Contains(parsed.Host, "*"):
		return nil, "must not have a wildcard in its host"
	case strings.ContainsFunc(parsed.Host, func(r rune) bool { return r > unicode.MaxASCII }):
		return nil, "must have its host in ASCII: an international name begins with xn--"
	default:
		return parsed, ""
	}
}

// isWeb reports a scheme of the web; url.Parse has made it lower case.
func isWeb(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" }

// webProblem says what is wrong with an endpoint on the web, if anything.
func webProblem(u *url.URL) string {
	switch {
	case u.Hostname() == "":
		return "must name a host"
	case u.Scheme == "http" && !loopback.Is(u.Hostname()):
		return "must be https: http is allowed for a loopback host only"
	default:
		return hostProblem(u)
	}
}

// hostProblem says why nobody can reach an endpoint on the web, if so.
func hostProblem(u *url.URL) string {
	port, err := strconv.Atoi(cmp.Or(u.Port(), "443"))
	switch host := u.Hostname(); {
	case host == "":
		return "must name a host"
	case err != nil || port < 1 || port > 65535:
		return "must have a port from 1 to 65535"
	case !isAddress(host) && !isName(host):
		return "must have a host that can be reached: a name of letters, digits and hyphens between single dots, or an IP address"
	default:
		return ""
	}
}

// isAddress accepts an IP address but 0.0.0.0 and ::, which are nobody's. An
// address with a zone means something on one machine only.
func isAddress(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && !address.IsUnspecified() && address.Zone() == ""
}

// isName accepts the name of a host (RFC 1123, 2.1), and an underscore, which
// names of containers have. What ends in a number is an address to a browser.
func isName(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || len(host) > 254 || strings.Trim(last, "0123456789") == "" {
		return false
	}
	return !slices.ContainsFunc(labels, func(label string) bool {
		return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, isNotNameRune)
	})
}

func isNotNameRune(r rune) bool {
	return r != '-' && r != '_' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
}
