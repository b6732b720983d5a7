package auth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

// These tests run in bubbles of testing/synctest: RemoteKeys and the clock
// are inside, a real HTTP server is outside. Time passes only while nothing
// in the bubble is busy, and a request under way is busy.

func newRemoteKeys(t *testing.T, cfg auth.RemoteConfig) *auth.RemoteKeys {
	t.Helper()
	keys, err := auth.NewRemoteKeys(cfg)
	if err != nil {
		t.Fatalf("NewRemoteKeys: %v", err)
	}
	return keys
}

// run runs the keys until the test ends and waits for the first fetch.
func run(t *testing.T, keys *auth.RemoteKeys) {
	t.Helper()
	go keys.Run(t.Context())
	synctest.Wait()
}

// pass lets time pass and waits until what it brought about is done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantKey fails the test unless Key returns the key, or the error.
func wantKey(t *testing.T, keys *auth.RemoteKeys, key authtest.Key, want error) {
	t.Helper()
	got, err := keys.Key(t.Context(), key.ID)
	if !errors.Is(err, want) {
		t.Fatalf("key %q: got error %v, want %v", key.ID, err, want)
	}
	if want == nil && !key.Private.PublicKey.Equal(got) {
		t.Fatalf("key %q: got another key", key.ID)
	}
}

func failing(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "out of order", http.StatusInternalServerError)
}

func TestRemoteKeysFollowARotation(t *testing.T) {
	t.Parallel()
	first, second := trustedKey(t), authtest.NewKey(t, "key-2")
	server := authtest.NewIssuer(t, first)
	synctest.Test(t, func(t *testing.T) {
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL})
		wantKey(t, keys, first, auth.ErrKeysUnavailable)
		if keys.Ready() {
			t.Error("ready before the first fetch")
		}
		run(t, keys)
		wantKey(t, keys, first, nil)
		if !keys.Ready() {
			t.Error("not ready after the first fetch")
		}

		server.Publish(t, second)
		pass(4 * time.Minute)
		wantKey(t, keys, first, nil)
		pass(2 * time.Minute)
		wantKey(t, keys, first, auth.ErrUnknownKey)
		wantKey(t, keys, second, nil)
	})
}

func TestUnknownKeysMakeOneFetchIn30Seconds(t *testing.T) {
	t.Parallel()
	known, added := trustedKey(t), authtest.NewKey(t, "key-2")
	server := authtest.NewIssuer(t, known)
	synctest.Test(t, func(t *testing.T) {
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL})
		run(t, keys)
		server.Publish(t, known, added)
		storm := func() {
			for range 1000 {
				if _, err := keys.Key(t.Context(), "no such key"); !errors.Is(err, auth.ErrUnknownKey) {
					t.Fatalf("got error %v, want ErrUnknownKey", err)
				}
			}
			synctest.Wait()
		}
		wantFetches := func(want int) {
			t.Helper()
			if got := server.Requests(authtest.KeysPath); got != want {
				t.Fatalf("got %d fetches, want %d", got, want)
			}
		}
		storm()
		pass(29 * time.Second)
		storm()
		wantFetches(1)
		wantKey(t, keys, added, auth.ErrUnknownKey)
		pass(2 * time.Second)
		wantFetches(2)
		wantKey(t, keys, added, nil)

		pass(2 * time.Minute)
		wantFetches(2)
		storm()
		storm()
		wantFetches(3)
	})
}

func TestRemoteKeysOutliveAnOutageByADay(t *testing.T) {
	t.Parallel()
	known := trustedKey(t)
	server := authtest.NewIssuer(t, known)
	synctest.Test(t, func(t *testing.T) {
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL})
		run(t, keys)
		server.Answer(authtest.KeysPath, failing)
		pass(23 * time.Hour)
		wantKey(t, keys, known, nil)
		wantKey(t, keys, authtest.Key{ID: "key-2"}, auth.ErrKeysUnavailable)
		pass(2 * time.Hour)
		wantKey(t, keys, known, auth.ErrKeysUnavailable)

		server.Publish(t, known)
		pass(30 * time.Second)
		wantKey(t, keys, known, nil)
		wantKey(t, keys, authtest.Key{ID: "key-2"}, auth.ErrUnknownKey)
	})
}

func TestTheFirstFetchIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	known := trustedKey(t)
	server := authtest.NewIssuer(t, known)
	server.Answer(authtest.KeysPath, failing)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		run(t, keys)
		wantKey(t, keys, known, auth.ErrKeysUnavailable)
		server.Publish(t, known)
		pass(time.Second)
		wantKey(t, keys, known, nil)
		for _, want := range []string{`level=WARN msg="fetch signing keys"`, "answered 500 Internal Server Error", `level=INFO msg="fetched signing keys"`, "keys=1"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, &log)
			}
		}
	})
}

func TestAKeySetOfAKnownAddressNeedsNoDiscovery(t *testing.T) {
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

// A hanging server is waited for in real time: this test is about ending at
// all.
func TestAServerThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	server, asked := authtest.NewIssuer(t, trustedKey(t)), make(chan struct{}, 8)
	server.Answer(authtest.KeysPath, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done() // until the client gives up
	})
	keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL, Timeout: 50 * time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		keys.Run(ctx)
	}()
	<-asked
	wantKey(t, keys, trustedKey(t), auth.ErrKeysUnavailable)
	<-asked // it gave up and tried again
	stop()
	<-stopped
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
