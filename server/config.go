package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"clientsd/server/api"
	"clientsd/server/auth"
	"clientsd/server/loopback"
	"clientsd/server/reqctx"
	"clientsd/server/secret"
	"clientsd/server/storage"
	"clientsd/server/telemetry"
	"clientsd/server/transport"
)

// DefaultAudience is the aud of a token for this service, unless configured.
const DefaultAudience = "clientsd"

// Config holds the settings of a Server. main.go fills it from flags and
// the environment; the server itself reads neither, but for the OTEL_* variables
// of OpenTelemetry, which its SDK reads by itself.
type Config struct {
	// Addr is where to listen, host:port. Port 0 takes a free one. Required.
	Addr string
	// PublicURL is the URL callers reach the service under; logo URLs begin
	// with it. Empty: made from the address it listens on.
	PublicURL string
	// TLSCert and TLSKey are the files of a certificate. Empty, both: plain text.
	TLSCert, TLSKey string
	// AllowPlaintext allows plain text on an address that is not loopback.
	AllowPlaintext bool
	// Storage says where the keyset and the database are.
	Storage storage.Config
	// SecretPrefix starts the secrets made from now on. Empty: no prefix.
	SecretPrefix string
	// MaxSecretOverlap bounds how long a rotation may leave the previous secret
	// valid. Zero: 30 days; negative: not at all.
	MaxSecretOverlap time.Duration
	// EventRetention is how long events are kept, at least a day. Zero: for ever.
	EventRetention time.Duration
	// MaxClientsPerOrganisation bounds the clients of an organisation. Zero: no bound.
	MaxClientsPerOrganisation int
	// MaxUnpagedList bounds the clients in the answer to a ListClients without a page
	// size. Zero: 5000.
	MaxUnpagedList int
	// SecretReadScope is the scope that GetClient needs to show a secret, beside
	// the one it needs anyway. Empty: oauth:clients:manage.
	SecretReadScope string
	// Issuers are those whose tokens are accepted. Empty: the built-in issuer, and
	// only that.
	Issuers []TrustedIssuer
	// Audience is what the audience of a token must contain. Empty: DefaultAudience
	// with the built-in issuer; required with Issuers that have none of their own.
	Audience string
	// RequireOrganisation refuses tokens that name no organisation. Otherwise
	// they belong to the organisation "default".
	RequireOrganisation bool
	// APIs are the APIs to serve: xeonr, zitadel, vigilo. Empty: all.
	APIs []string
	// CORSOrigins are the origins whose pages may call. Empty: none; "*": all.
	CORSOrigins []string
	// TrustedProxies are networks, such as 10.0.0.0/8, and addresses of proxies.
	// Their TrustedProxyHeader says where a request came from. Empty: the other end
	// of the connection is the caller.
	TrustedProxies []string
	// TrustedProxyHeader is the header to which a proxy adds the address that it was
	// called from. Empty: X-Forwarded-For.
	TrustedProxyHeader string
	// IdleTimeout is how long a connection stays open without a call. Zero: 60 s.
	IdleTimeout time.Duration
	// Timeout is the deadline of a call that brings none, at most 60 s, which bounds
	// every call. Zero: 4 s.
	Timeout time.Duration
	// FailureRate is how many bad tokens from one address, and how many wrong
	// secrets of one organisation from one address or for one client, are answered
	// as such in a second; a burst may be ten times as many. A token that has
	// expired is no bad token. Zero: 20.
	FailureRate int
	// MaxInFlight bounds the calls with a token that the server works on
	// concurrently. What needs no token has a small part of that for itself. Zero:
	// 1024.
	MaxInFlight int
	// ShutdownDelay is how long a stop goes on serving once /readyz says that the
	// server is not ready, so that balancers can notice. Zero: not at all.
	ShutdownDelay time.Duration
	// DrainTimeout bounds how long a stop waits for running calls with a token. Zero:
	// 20 s.
	DrainTimeout time.Duration
	// MetricsAddr is where Prometheus finds /metrics, host:port, another address
	// than Addr. Empty: nowhere.
	MetricsAddr string
	// TrustRemoteSpans continues the trace that a request names, instead of
	// beginning one that links to it.
	TrustRemoteSpans bool
	// Version is that of the binary, for metrics and traces.
	Version string
	// Log receives what happens. Nil: slog.Default.
	Log *slog.Logger
	// Clock is the time. Nil: time.Now.
	Clock func() time.Time
}

// Validate says everything that is wrong with the configuration, by the names
// of the flags, or returns nil.
func (c Config) Validate() error {
	return errors.Join(
		c.validateListener(),
		c.validateMetricsAddr(),
		c.Storage.Validate(),
		c.validateIssuers(),
		validateBase("--public-url", c.PublicURL),
		validateAPIs(c.APIs),
		validateOrigins(c.CORSOrigins),
		validatePrefix(c.SecretPrefix),
		validateEventRetention(c.EventRetention),
		c.validateProxies(),
		positive("--idle-timeout", int64(c.IdleTimeout)),
		validateTimeout(c.Timeout),
		positive("--failure-rate", int64(c.FailureRate)),
		positive("--max-in-flight", int64(c.MaxInFlight)),
		positive("--max-clients-per-organisation", int64(c.MaxClientsPerOrganisation)),
		positive("--max-unpaged-list", int64(c.MaxUnpagedList)),
		positive("--shutdown-delay", int64(c.ShutdownDelay)),
		positive("--drain-timeout", int64(c.DrainTimeout)),
	)
}

func (c Config) validateListener() error {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("--addr %q: must be host:port, such as 127.0.0.1:8080", c.Addr)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key: both or neither must be given")
	}
	if c.TLSCert == "" && !c.AllowPlaintext && !loopback.Is(host) {
		return fmt.Errorf("--addr %s: secrets would cross the network in plain text; "+
			"give --tls-cert and --tls-key, or --allow-plaintext behind a proxy that encrypts", c.Addr)
	}
	return nil
}

func (c Config) validateMetricsAddr() error {
	if c.MetricsAddr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(c.MetricsAddr)
	switch {
	case err != nil:
		return fmt.Errorf("--metrics-addr %q: must be host:port, such as 127.0.0.1:9464", c.MetricsAddr)
	case c.MetricsAddr == c.Addr && port != "0":
		return fmt.Errorf("--metrics-addr %s: must not be that of --addr, where every caller could read them", c.MetricsAddr)
	default:
		return nil
	}
}

func (c Config) telemetry() telemetry.Config {
	return telemetry.Config{Version: c.Version, TrustRemoteSpans: c.TrustRemoteSpans, Log: c.Log}
}

// withDefaults fills what was left empty.
func (c Config) withDefaults() Config {
	c.Audience = cmp.Or(c.Audience, DefaultAudience)
	c.SecretReadScope = cmp.Or(c.SecretReadScope, auth.ScopeManage)
	c.Timeout = cmp.Or(c.Timeout, 4*time.Second)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 60*time.Second)
	c.MaxSecretOverlap = max(0, cmp.Or(c.MaxSecretOverlap, 30*24*time.Hour))
	c.FailureRate = cmp.Or(c.FailureRate, 20)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 1024)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 20*time.Second)
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if len(c.APIs) == 0 {
		c.APIs = api.Names()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Log = slog.New(reqctx.LogHandler(c.Log.Handler()))
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

func positive(flag string, value int64) error {
	if value < 0 {
		return fmt.Errorf("%s: must not be negative", flag)
	}
	return nil
}

func validateTimeout(timeout time.Duration) error {
	if timeout > transport.MaxTimeout {
		return fmt.Errorf("--timeout %v: must not be longer than %v, which bounds every call", timeout, transport.MaxTimeout)
	}
	return positive("--timeout", int64(timeout))
}

// validateBase accepts an absolute http or https URL without anything behind
// its path.
func validateBase(flag, text string) error {
	u, err := url.Parse(text)
	if text == "" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		return nil
	}
	return fmt.Errorf("%s %q: must be a URL such as https://clients.example.com", flag, text)
}

func validateAPIs(names []string) error {
	for _, name := range names {
		if !slices.Contains(api.Names(), name) {
			return fmt.Errorf("--api %q: must be one of %s", name, strings.Join(api.Names(), ", "))
		}
	}
	return nil
}

func validateOrigins(origins []string) error {
	for _, origin := range origins {
		if origin != "*" && (validateBase("", origin) != nil || strings.Count(origin, "/") != 2) {
			return fmt.Errorf("--cors-origin %q: must be an origin such as https://console.example.com, or *", origin)
		}
	}
	return nil
}

// validateEventRetention refuses what nobody can mean: 30m where it should be 30d.
func validateEventRetention(keep time.Duration) error {
	if keep < 0 || keep > 0 && keep < 24*time.Hour {
		return fmt.Errorf("--event-retention %v: must be at least 1d, or 0 to keep events for ever", keep)
	}
	return nil
}

func validatePrefix(prefix string) error {
	if err := secret.ValidatePrefix(prefix); err != nil {
		return fmt.Errorf("--secret-prefix %q: %w", prefix, err)
	}
	return nil
}

// headerName matches the name of a header (RFC 9110 section 5.1).
var headerName = regexp.MustCompile("^[0-9A-Za-z!#$%&'*+.^_`|~-]+$")

// proxies returns the proxies whose word about the address of a caller counts.
func (c Config) proxies() (reqctx.Proxies, error) {
	found := reqctx.Proxies{Header: cmp.Or(c.TrustedProxyHeader, "X-Forwarded-For")}
	switch {
	case c.TrustedProxyHeader != "" && len(c.TrustedProxies) == 0:
		return found, errors.New("--trusted-proxy-header: no --trusted-proxy is given, so nobody's header counts")
	case strings.EqualFold(found.Header, "Forwarded"):
		return found, errors.New("--trusted-proxy-header Forwarded: is not understood; let the proxy send X-Forwarded-For")
	case !headerName.MatchString(found.Header):
		return found, fmt.Errorf("--trusted-proxy-header %q: must be the name of a header such as X-Forwarded-For", found.Header)
	}
	for _, text := range c.TrustedProxies {
		network, err := parseNetwork(text)
		if err != nil {
			return found, err
		}
		found.Trusted = append(found.Trusted, network)
	}
	return found, nil
}

// parseNetwork reads a network, or an address alone.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil || network.Addr().Is4In6():
		return network, fmt.Errorf("--trusted-proxy %q: must be a network such as 10.0.0.0/8, or an address", text)
	case network.Bits() == 0:
		return network, fmt.Errorf("--trusted-proxy %s: would let every caller choose the address it comes from", text)
	default:
		return network, nil
	}
}

func (c Config) validateProxies() error {
	_, err := c.proxies()
	return err
}
