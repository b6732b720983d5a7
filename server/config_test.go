package server_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/storage"
)

func TestConfig_ErrorNamesTheFlag(t *testing.T) {
	const plain = ": secrets would cross the network in plain text; " +
		"give --tls-cert and --tls-key, or --allow-plaintext behind a proxy that encrypts"
	const origin = ": must be an origin such as https://console.example.com, or *"
	const base = ": must be a URL such as https://clients.example.com"
	for name, tt := range map[string]struct {
		change func(*server.Config)
		want   string
	}{
		"an address without a port":            {func(c *server.Config) { c.Addr = "127.0.0.1" }, `--addr "127.0.0.1": must be host:port, such as 127.0.0.1:8080`},
		"a metrics address without a port":     {func(c *server.Config) { c.MetricsAddr = "127.0.0.1" }, `--metrics-addr "127.0.0.1": must be host:port, such as 127.0.0.1:9464`},
		"metrics where the service is":         {func(c *server.Config) { c.Addr, c.MetricsAddr = "127.0.0.1:8080", "127.0.0.1:8080" }, "--metrics-addr 127.0.0.1:8080: must not be that of --addr, where every caller could read them"},
		"no address":                           {func(c *server.Config) { c.Addr = "" }, `--addr "": must be host:port, such as 127.0.0.1:8080`},
		"plain text on every address":          {func(c *server.Config) { c.Addr = ":8080" }, "--addr :8080" + plain},
		"plain text on 0.0.0.0":                {func(c *server.Config) { c.Addr = "0.0.0.0:8080" }, "--addr 0.0.0.0:8080" + plain},
		"plain text on every IPv6 address":     {func(c *server.Config) { c.Addr = "[::]:8080" }, "--addr [::]:8080" + plain},
		"plain text on a public address":       {func(c *server.Config) { c.Addr = "192.0.2.1:8080" }, "--addr 192.0.2.1:8080" + plain},
		"plain text on a name that may be one": {func(c *server.Config) { c.Addr = "localhost.example.com:8080" }, "--addr localhost.example.com:8080" + plain},
		"a certificate without a key":          {func(c *server.Config) { c.TLSCert = "cert.pem" }, "--tls-cert and --tls-key: both or neither must be given"},
		"a key without a certificate":          {func(c *server.Config) { c.TLSKey = "key.pem" }, "--tls-cert and --tls-key: both or neither must be given"},
		"a public URL without a scheme":        {func(c *server.Config) { c.PublicURL = "clients.example.com" }, `--public-url "clients.example.com"` + base},
		"a public URL with a query":            {func(c *server.Config) { c.PublicURL = "https://example.com/?a" }, `--public-url "https://example.com/?a"` + base},
		"a public URL with a fragment":         {func(c *server.Config) { c.PublicURL = "https://example.com/#a" }, `--public-url "https://example.com/#a"` + base},
		"a public URL with a password":         {func(c *server.Config) { c.PublicURL = "https://a:b@example.com" }, `--public-url "https://a:b@example.com"` + base},
		"a public URL that may run":            {func(c *server.Config) { c.PublicURL = "javascript:alert(1)" }, `--public-url "javascript:alert(1)"` + base},
		"an issuer without an audience":        {func(c *server.Config) { c.Audience = "" }, "--issuer: --audience is needed too, or tokens meant for other services would be accepted"},
		"an issuer over plain HTTP": {
			func(c *server.Config) { c.Issuers[1].URL = "http://two.example.com" },
			`--issuer http://two.example.com: "http://two.example.com" is neither https nor http to a loopback host`,
		},
		"an issuer that is given twice": {
			func(c *server.Config) { c.Issuers[1].URL = c.Issuers[0].URL }, "--issuer https://one.example.com: given twice",
		},
		"keys over plain HTTP": {
			func(c *server.Config) { c.Issuers[0].JWKSURL = "http://one.example.com/keys" },
			`--jwks-url http://one.example.com/keys: "http://one.example.com/keys" is neither https nor http to a loopback host`,
		},
		"one issuer without an audience of its own": {
			func(c *server.Config) { c.Audience, c.Issuers[0].Audiences = "", []string{"clients"} },
			"--issuer: --audience is needed too, or tokens meant for other services would be accepted",
		},
		"an algorithm with a shared key": {
			func(c *server.Config) { c.Issuers[0].Format.Algorithms = []string{"RS256", "HS256"} },
			`--token-algorithms "HS256": must be one of RS256, ES256, PS256, EdDSA`,
		},
		"no algorithm at all": {
			func(c *server.Config) { c.Issuers[0].Format.Algorithms = []string{"none"} },
			`--token-algorithms "none": must be one of RS256, ES256, PS256, EdDSA`,
		},
		"a claim that no message can quote": {
			func(c *server.Config) { c.Issuers[0].Format.OrganisationClaim = "a\"b" },
			`--organisation-claim "a\"b": must be the name of a claim: up to 256 printable ASCII characters without spaces and quotes`,
		},
		"scopes of who somebody is": {
			func(c *server.Config) { c.Issuers[0].Format.ScopeClaim = "sub" },
			"--scope-claim sub: says who the caller is, not what it may do; --scope-map must say for each of the callers of https://one.example.com which scope it has",
		},
		"a scope that there is not": {
			func(c *server.Config) {
				c.Issuers[0].Format.ScopeMap = map[string][]string{"reader": {"oauth:client:read"}}
			},
			`--scope-map "reader=oauth:client:read": there is no scope "oauth:client:read", did you mean oauth:clients:read?`,
		},
		"a scope for secrets alone": {
			func(c *server.Config) {
				c.SecretReadScope = "secrets:read"
				c.Issuers[0].Format.ScopeMap = map[string][]string{"reader": {"secrets:read"}}
			}, "",
		},
		"audiences for each issuer": {
			func(c *server.Config) {
				c.Audience, c.Issuers[0].Audiences, c.Issuers[1].Audiences = "", []string{"one"}, []string{"two", "three"}
			}, "",
		},
		"an unknown API":                        {func(c *server.Config) { c.APIs = []string{"xeonr", "hydra"} }, `--api "hydra": must be one of xeonr, zitadel, vigilo`},
		"an origin with a path":                 {func(c *server.Config) { c.CORSOrigins = []string{"https://a.example.com/"} }, `--cors-origin "https://a.example.com/"` + origin},
		"an origin without a scheme":            {func(c *server.Config) { c.CORSOrigins = []string{"*", "a.example.com"} }, `--cors-origin "a.example.com"` + origin},
		"an empty origin":                       {func(c *server.Config) { c.CORSOrigins = []string{""} }, `--cors-origin ""` + origin},
		"a secret prefix that HTTP must escape": {func(c *server.Config) { c.SecretPrefix = "sk_é" }, `--secret-prefix "sk_é": the prefix of secrets has the character 'é', only letters, digits and underscores are allowed`},
		"a secret prefix of 33 characters": {
			func(c *server.Config) { c.SecretPrefix = strings.Repeat("a", 33) },
			`--secret-prefix "` + strings.Repeat("a", 33) + `": the prefix of secrets has 33 characters, at most 32 are allowed`,
		},
		"events for half an hour":       {func(c *server.Config) { c.EventRetention = 30 * time.Minute }, "--event-retention 30m0s: must be at least 1d, or 0 to keep events for ever"},
		"events for less than nothing":  {func(c *server.Config) { c.EventRetention = -30 * 24 * time.Hour }, "--event-retention -720h0m0s: must be at least 1d, or 0 to keep events for ever"},
		"events for a day":              {func(c *server.Config) { c.EventRetention = 24 * time.Hour }, ""},
		"a negative deadline":           {func(c *server.Config) { c.Timeout = -time.Second }, "--timeout: must not be negative"},
		"a negative idle time":          {func(c *server.Config) { c.IdleTimeout = -1 }, "--idle-timeout: must not be negative"},
		"a proxy that is a name":        {func(c *server.Config) { c.TrustedProxies = []string{"proxy.example.com"} }, `--trusted-proxy "proxy.example.com": must be a network such as 10.0.0.0/8, or an address`},
		"a proxy with a port":           {func(c *server.Config) { c.TrustedProxies = []string{"192.0.2.1:80"} }, `--trusted-proxy "192.0.2.1:80": must be a network such as 10.0.0.0/8, or an address`},
		"an empty proxy":                {func(c *server.Config) { c.TrustedProxies = []string{"192.0.2.1", ""} }, `--trusted-proxy "": must be a network such as 10.0.0.0/8, or an address`},
		"a network of 33 bits":          {func(c *server.Config) { c.TrustedProxies = []string{"10.0.0.0/33"} }, `--trusted-proxy "10.0.0.0/33": must be a network such as 10.0.0.0/8, or an address`},
		"IPv4 in IPv6":                  {func(c *server.Config) { c.TrustedProxies = []string{"::ffff:10.0.0.0/104"} }, `--trusted-proxy "::ffff:10.0.0.0/104": must be a network such as 10.0.0.0/8, or an address`},
		"everybody as a proxy":          {func(c *server.Config) { c.TrustedProxies = []string{"0.0.0.0/0"} }, "--trusted-proxy 0.0.0.0/0: would let every caller choose the address it comes from"},
		"everybody as a proxy, in IPv6": {func(c *server.Config) { c.TrustedProxies = []string{"::/0"} }, "--trusted-proxy ::/0: would let every caller choose the address it comes from"},
		"a header without a proxy":      {func(c *server.Config) { c.TrustedProxyHeader = "X-Real-IP" }, "--trusted-proxy-header: no --trusted-proxy is given, so nobody's header counts"},
		"a header that is none": {
			func(c *server.Config) { c.TrustedProxies, c.TrustedProxyHeader = []string{"10.0.0.0/8"}, "X-Real-IP:" },
			`--trusted-proxy-header "X-Real-IP:": must be the name of a header such as X-Forwarded-For`,
		},
		"a header of another form": {
			func(c *server.Config) { c.TrustedProxies, c.TrustedProxyHeader = []string{"10.0.0.0/8"}, "forwarded" },
			"--trusted-proxy-header Forwarded: is not understood; let the proxy send X-Forwarded-For",
		},
		"proxies": {
			func(c *server.Config) {
				c.TrustedProxies, c.TrustedProxyHeader = []string{"10.1.2.3/8", "192.0.2.1", "2001:db8::/32", "::1"}, "x-real-ip"
			}, "",
		},
		"a deadline beyond the bound":    {func(c *server.Config) { c.Timeout = 61 * time.Second }, "--timeout 1m1s: must not be longer than 1m0s, which bounds every call"},
		"a deadline that is the bound":   {func(c *server.Config) { c.Timeout = time.Minute }, ""},
		"a negative bound of calls":      {func(c *server.Config) { c.MaxInFlight = -1 }, "--max-in-flight: must not be negative"},
		"a negative bound of clients":    {func(c *server.Config) { c.MaxClientsPerOrganisation = -1 }, "--max-clients-per-organisation: must not be negative"},
		"a negative bound of a list":     {func(c *server.Config) { c.MaxUnpagedList = -1 }, "--max-unpaged-list: must not be negative"},
		"a negative time to drain":       {func(c *server.Config) { c.DrainTimeout = -1 }, "--drain-timeout: must not be negative"},
		"several things, all of them":    {func(c *server.Config) { c.Timeout, c.MaxInFlight = -1, -1 }, "--timeout: must not be negative\n--max-in-flight: must not be negative"},
		"a name for a loopback address":  {func(c *server.Config) { c.Addr = "localhost:0" }, ""},
		"a loopback IPv6 address":        {func(c *server.Config) { c.Addr = "[::1]:0" }, ""},
		"any other loopback address":     {func(c *server.Config) { c.Addr = "127.8.8.8:0" }, ""},
		"plain text, if it is wanted":    {func(c *server.Config) { c.Addr, c.AllowPlaintext = ":8080", true }, ""},
		"TLS on every address":           {func(c *server.Config) { c.Addr, c.TLSCert, c.TLSKey = ":8443", "cert.pem", "key.pem" }, ""},
		"a public URL with a path":       {func(c *server.Config) { c.PublicURL = "https://example.com/clients/" }, ""},
		"an origin with a port, and all": {func(c *server.Config) { c.CORSOrigins = []string{"http://localhost:3000", "*"} }, ""},
		"no secret prefix":               {func(c *server.Config) { c.SecretPrefix = "" }, ""},
		"two free ports":                 {func(c *server.Config) { c.MetricsAddr = "127.0.0.1:0" }, ""},
		"metrics on every address":       {func(c *server.Config) { c.MetricsAddr = ":9464" }, ""},
		"one API":                        {func(c *server.Config) { c.APIs = []string{"vigilo"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := server.Config{
				Addr: "127.0.0.1:0", SecretPrefix: "sk_live_", Audience: "clients",
				Issuers: []server.TrustedIssuer{{URL: "https://one.example.com"}, {URL: "https://two.example.com"}},
			}
			tt.change(&config)
			err := config.Validate()
			if got := textOf(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A configuration that is wrong must not even make files.
func TestNew_WrongConfigMakesNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := server.New(t.Context(), server.Config{Addr: "0.0.0.0:0", Storage: storage.Config{Dir: dir, Create: true}})
	if err == nil || !strings.HasPrefix(err.Error(), "--addr 0.0.0.0:0: secrets would cross the network in plain text") {
		t.Errorf("got error %v", err)
	}
	if files := filesIn(t, dir); len(files) > 0 {
		t.Errorf("the folder has %v", files)
	}
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
