package auth_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

func TestRemoteKeys_JWKSURLNeedsNoDiscovery(t *testing.T) {
	t.Parallel()
	known := trustedKey(t)
	server := authtest.NewIssuer(t, known)
	synctest.Test(t, func(t *testing.T) {
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: issuer, JWKSURL: server.URL + authtest.KeysPath})
		run(t, keys)
		wantKey(t, keys, known, nil)
		if got := server.Requests(authtest.DiscoveryPath); got != 0 {
			t.Errorf("got %d discoveries, want none", got)
		}
	})
}

func TestDiscoveryPutsThePathWhereTheStandardsSay(t *testing.T) {
	t.Parallel()
	known := trustedKey(t)
	for name, tt := range map[string]struct{ issuerPath, document string }{
		"OpenID Connect, with a path":          {"/tenant", "/tenant" + authtest.DiscoveryPath},
		"OpenID Connect, with a slash at last": {"/tenant/", "/tenant" + authtest.DiscoveryPath},
		"RFC 8414, without a path":             {"", authtest.MetadataPath},
		"RFC 8414, with a path":                {"/tenant", authtest.MetadataPath + "/tenant"},
		"RFC 8414, with a slash at last":       {"/tenant/", authtest.MetadataPath + "/tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := authtest.NewIssuer(t, known)
			server.Answer(authtest.DiscoveryPath, http.NotFound)
			name := server.URL + tt.issuerPath
			server.AnswerJSON(t, tt.document, map[string]any{"issuer": name, "jwks_uri": server.URL + authtest.KeysPath})
			synctest.Test(t, func(t *testing.T) {
				keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: name})
				run(t, keys)
				wantKey(t, keys, known, nil)
			})
		})
	}
}

func TestRemoteKeysRefuseDocuments(t *testing.T) {
	t.Parallel()
	known, elsewhere := trustedKey(t), authtest.NewIssuer(t, trustedKey(t))
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+authtest.KeysPath, http.StatusFound)
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"keys":[],"pad":"`+strings.Repeat("x", 2<<20)+`"}`)
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	tests := map[string]struct {
		path   string
		answer http.HandlerFunc
		log    string
	}{
		"a redirect to another key set":       {authtest.KeysPath, redirect, "answered 302 Found"},
		"a redirect of the metadata":          {authtest.DiscoveryPath, redirect, "answered 302 Found"},
		"a key set over 1 MiB":                {authtest.KeysPath, endless, "answer is larger than 1 MiB"},
		"metadata over 1 MiB":                 {authtest.DiscoveryPath, endless, "answer is larger than 1 MiB"},
		"a key set that is no JSON":           {authtest.KeysPath, text("<html>"), "decode http"},
		"a key set without keys":              {authtest.KeysPath, text(`{"error":"try later"}`), "not a JWK Set"},
		"metadata of another issuer":          {authtest.DiscoveryPath, text(`{"issuer":"http://127.0.0.1:1","jwks_uri":"` + elsewhere.URL + authtest.KeysPath + `"}`), `is about the issuer \"http://127.0.0.1:1\"`},
		"metadata that is no JSON":            {authtest.DiscoveryPath, text("<html>"), "decode /.well-known/openid-configuration"},
		"an answer that is an error":          {authtest.KeysPath, failing, "answered 500"},
		"an answer that is success but empty": {authtest.KeysPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "answered 204"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := authtest.NewIssuer(t, known)
			server.Answer(tt.path, tt.answer)
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				run(t, keys)
				wantKey(t, keys, known, auth.ErrKeysUnavailable)
				if !strings.Contains(log.String(), tt.log) {
					t.Errorf("the log lacks %q:\n%s", tt.log, &log)
				}
			})
		})
	}
	t.Cleanup(func() {
		if got := elsewhere.Requests(authtest.KeysPath); got != 0 {
			t.Errorf("a redirect was followed %d times", got)
		}
	})
}

func TestMetadataMustNotNameAnUnsafeKeySet(t *testing.T) {
	t.Parallel()
	for _, unsafe := range []string{"", "http://keys.example.com/jwks", "file:///etc/passwd", "/jwks", "https://user@keys.example.com/jwks"} {
		server := authtest.NewIssuer(t, trustedKey(t))
		server.AnswerJSON(t, authtest.DiscoveryPath, map[string]any{"issuer": server.URL, "jwks_uri": unsafe})
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			run(t, keys)
			wantKey(t, keys, trustedKey(t), auth.ErrKeysUnavailable)
			if !strings.Contains(log.String(), "read jwks_uri of /.well-known/openid-configuration") {
				t.Errorf("jwks_uri %q: the log does not say that it was refused:\n%s", unsafe, &log)
			}
		})
	}
}

func TestNewRemoteKeysRefusesURLs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ issuer, jwks, want string }{
		"no issuer":                  {"", "", `"" is not an absolute URL`},
		"an issuer that is no URL":   {"https://exa mple", "", `parse issuer or key set URL: parse "https://exa mple": invalid character " " in host name`},
		"an issuer without a host":   {"https:///tenant", "", `"https:///tenant" is not an absolute URL`},
		"an issuer over http":        {"http://issuer.example.com", "", `"http://issuer.example.com" is neither https nor http to a loopback host`},
		"a host that looks loopback": {"http://127.0.0.1.example.com", "", `"http://127.0.0.1.example.com" is neither https nor http to a loopback host`},
		"an issuer with a query":     {"https://issuer.example.com?a", "", `issuer "https://issuer.example.com?a" has a query`},
		"an issuer with a fragment":  {"https://issuer.example.com#", "", "the URL of issuer.example.com has a user or a fragment"},
		"an issuer with a user":      {"https://user:pass@issuer.example.com", "", "the URL of issuer.example.com has a user or a fragment"},
		"a key set over http":        {issuer, "http://issuer.example.com/jwks", `"http://issuer.example.com/jwks" is neither https nor http to a loopback host`},
		"a key set in a file":        {issuer, "file://localhost/jwks", `"file://localhost/jwks" is neither https nor http to a loopback host`},
		"https":                      {issuer, "https://issuer.example.com/jwks?tenant=1", ""},
		"http to localhost":          {"http://localhost:8080", "", ""},
		"http to loopback, IPv6":     {"http://[::1]:8080", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := auth.NewRemoteKeys(auth.RemoteConfig{Issuer: tt.issuer, JWKSURL: tt.jwks})
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != tt.want {
				t.Errorf("got error %q, want %q", message, tt.want)
			}
		})
	}
}
