package auth

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"clientsd/server/loopback"
)

const (
	defaultTimeout   = 5 * time.Second
	maxDocumentBytes = 1 << 20
)

// parseIssuer returns the URL of an issuer: an endpoint without query (RFC
// 8414 section 2).
func parseIssuer(raw string) (*url.URL, error) {
	issuer, err := parseEndpoint(raw)
	if err != nil {
		return nil, err
	}
	if issuer.RawQuery != "" || issuer.ForceQuery {
		return nil, fmt.Errorf("issuer %q has a query", raw)
	}
	return issuer, nil
}

// parseEndpoint returns a URL that is safe to fetch keys from: https, or http
// to a loopback host, where nobody is in between.
func parseEndpoint(raw string) (*url.URL, error) {
	endpoint, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("parse issuer or key set URL: %w", err)
	}
	host := endpoint.Hostname()
	switch {
	case host == "":
		return nil, fmt.Errorf("%.100q is not an absolute URL", raw)
	case endpoint.User != nil, strings.Contains(raw, "#"):
		return nil, fmt.Errorf("the URL of %s has a user or a fragment", endpoint.Host)
	case endpoint.Scheme == "https", endpoint.Scheme == "http" && loopback.Is(host):
		return endpoint, nil
	default:
		return nil, fmt.Errorf("%.100q is neither https nor http to a loopback host", raw)
	}
}

// discover returns the URL of the key set from the issuer's metadata.
func (r *RemoteKeys) discover(ctx context.Context) (string, error) {
	path := strings.TrimSuffix(r.issuer.EscapedPath(), "/")
	// OpenID Connect appends to the path of the issuer, RFC 8414 inserts before it.
	found, oidcErr := r.readMetadata(ctx, path+"/.well-known/openid-configuration")
	if oidcErr == nil {
		return found, nil
	}
	found, oauthErr := r.readMetadata(ctx, "/.well-known/oauth-authorization-server"+path)
	if oauthErr == nil {
		return found, nil
	}
	return "", fmt.Errorf("discover key set: %w; %w", oidcErr, oauthErr)
}

// readMetadata reads one metadata document, which must be about this issuer
// to the letter.
func (r *RemoteKeys) readMetadata(ctx context.Context, path string) (jwksURL string, err error) {
	body, err := fetch(ctx, r.client, r.issuer.Scheme+"://"+r.issuer.Host+path)
	if err != nil {
		return "", err
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &metadata); err != nil {
		return "", fmt.Errorf("decode %s: %w", path, err)
	}
	if metadata.Issuer != r.name {
		return "", fmt.Errorf("%s is about the issuer %.100q", path, metadata.Issuer)
	}
	if _, err := parseEndpoint(metadata.JWKSURI); err != nil {
		return "", fmt.Errorf("read jwks_uri of %s: %w", path, err)
	}
	return metadata.JWKSURI, nil
}

// newClient returns a client that goes only where it is sent: it follows no
// redirect and, whatever the environment says, uses no proxy.
func newClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:   cmp.Or(timeout, defaultTimeout),
		Transport: &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// fetch returns the body of a 200 answer of at most 1 MiB.
func fetch(ctx context.Context, client *http.Client, location string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", location, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err // names method and URL by itself
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch %s: answered %s", location, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", location, err)
	}
	if len(body) > maxDocumentBytes {
		return nil, fmt.Errorf("fetch %s: answer is larger than 1 MiB", location)
	}
	return body, nil
}
