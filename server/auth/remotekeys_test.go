package auth_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
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
	got, err := keys.Key(t.Context(), auth.KeyRef{ID: key.ID, Algorithm: key.Algorithm()})
	if !errors.Is(err, want) {
		t.Fatalf("key %q: got error %v, want %v", key.ID, err, want)
	}
	if want != nil {
		return
	}
	if public, ok := key.Public().(interface {
		Equal(other crypto.PublicKey) bool
	}); !ok || !public.Equal(got) {
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
		if keys.Usable() > 0 {
			t.Error("ready before the first fetch")
		}
		run(t, keys)
		wantKey(t, keys, first, nil)
		if keys.Usable() == 0 {
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
				if _, err := keys.Key(t.Context(), auth.KeyRef{ID: "no such key", Algorithm: "RS256"}); !errors.Is(err, auth.ErrUnknownKey) {
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

func TestRemoteKeys_FirstFetchIsRetriedSoon(t *testing.T) {
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
		for _, want := range []string{`level=WARN msg="cannot fetch the signing keys of an issuer: its tokens are answered unavailable"`, "answered 500 Internal Server Error", `level=INFO msg="fetched the signing keys of an issuer"`, "keys=1"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, &log)
			}
		}
	})
}

// A hanging server is waited for in real time: this test is about ending at
// all.
func TestRemoteKeys_SilentServer(t *testing.T) {
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
