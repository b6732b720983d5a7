package issuers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// trust makes a server accept the tokens of these issuers.
func trust(issuers ...*authtest.Issuer) func(*server.Config) {
	return func(c *server.Config) {
		c.Audience = audience
		for _, issuer := range issuers {
			c.Issuers = append(c.Issuers, server.TrustedIssuer{URL: issuer.URL})
		}
	}
}

// sign makes a token of the issuer that may read clients, good but for the claims
// given.
func sign(t *testing.T, issuer *authtest.Issuer, key authtest.Key, claims map[string]any) string {
	t.Helper()
	good := authtest.Claims(issuer.URL, audience, time.Now())
	good["scope"] = auth.ScopeRead
	return key.Sign(t, authtest.With(good, claims), nil)
}

// eventually waits until a condition holds, for ten seconds at most.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within ten seconds: %s", what)
}

// waitUntilReady waits until the keys of one issuer are there.
func waitUntilReady(t *testing.T, s *servertest.Server) {
	t.Helper()
	eventually(t, "the server is ready", func() bool {
		status, _ := get(t, s, "/readyz")
		return status == http.StatusOK
	})
}

// line is what a line of the log says about an issuer.
type line struct {
	Level, Msg, Issuer, Kid, Reason, Error string
	Failures, Keys                         int
}

// warnings are the warnings about an issuer.
func warnings(t *testing.T, s *servertest.Server, issuer *authtest.Issuer) (found []line) {
	t.Helper()
	for decoder := json.NewDecoder(strings.NewReader(s.Logs.String())); ; {
		var l line
		if err := decoder.Decode(&l); err == io.EOF {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if l.Level == "WARN" && l.Issuer == issuer.URL {
			found = append(found, l)
		}
	}
}

// metrics returns the lines of /metrics about an issuer.
func metrics(t *testing.T, url string, issuer *authtest.Issuer) (lines []string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, text := servertest.Do(t, request)
	for l := range strings.Lines(string(text)) {
		if strings.Contains(l, issuer.URL) {
			lines = append(lines, strings.TrimSpace(strings.ReplaceAll(l, issuer.URL, "ISSUER")))
		}
	}
	return lines
}

// newDeadIssuer is an issuer that nobody answers for.
func newDeadIssuer(t *testing.T) *authtest.Issuer {
	t.Helper()
	dead := authtest.NewIssuer(t)
	dead.Answer(authtest.DiscoveryPath, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such tenant", http.StatusBadGateway)
	})
	return dead
}

const unavailableKeys = "the keys of the token issuer are not available"

// unavailable is the answer to a token of which nothing is known yet.
func unavailable(message, retryAfter string) answer {
	return answer{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: message, RetryAfter: retryAfter}
}

func TestReady_OneOfTwoIssuersIsDead(t *testing.T) {
	key, lost := authtest.NewKey(t, "key-1"), authtest.NewKey(t, "key-1")
	alive, dead := authtest.NewIssuer(t, key), newDeadIssuer(t)
	for name, both := range map[string][]*authtest.Issuer{
		"the first works":  {alive, dead},
		"the second works": {dead, alive},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.Start(t, trust(both...))
			waitUntilReady(t, s)
			wantAnswer(t, s, sign(t, alive, key, nil), answer{Status: http.StatusOK})
			got := call(t, s, sign(t, dead, lost, nil))
			got.RetryAfter = ""
			if want := unavailable(unavailableKeys, ""); got != want {
				t.Errorf("a token of the dead issuer: got %+v\nwant %+v", got, want)
			}
			status, body := get(t, s, "/readyz")
			want := "ok\nbut the keys of 1 of 2 issuers are not loaded, and their tokens are not accepted: see the log"
			if status != http.StatusOK || body != want {
				t.Errorf("/readyz: got %d: %s", status, body)
			}
			eventually(t, "two warnings about the dead issuer", func() bool { return len(warnings(t, s, dead)) >= 2 })
			for i, l := range warnings(t, s, dead) {
				if l.Msg != "cannot fetch the signing keys of an issuer: its tokens are answered unavailable" ||
					l.Failures != i+1 || !strings.Contains(l.Error, "502 Bad Gateway") {
					t.Errorf("got %+v", l)
				}
			}
			if got := warnings(t, s, alive); len(got) > 0 {
				t.Errorf("warnings about the other issuer: %+v", got)
			}
		})
	}
}

func TestReady_NoIssuerWorks(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	one, other := newDeadIssuer(t), newDeadIssuer(t)
	s := servertest.Start(t, trust(one, other))
	eventually(t, "a warning about each", func() bool { return len(warnings(t, s, one)) > 0 && len(warnings(t, s, other)) > 0 })
	if status, body := get(t, s, "/readyz"); status != http.StatusServiceUnavailable || body != "no issuer's keys are loaded: see the log" {
		t.Errorf("/readyz: got %d: %s", status, body)
	}
	if status, _ := get(t, s, "/livez"); status != http.StatusOK {
		t.Errorf("/livez: got %d", status)
	}

	other.AnswerJSON(t, authtest.DiscoveryPath, map[string]any{"issuer": other.URL, "jwks_uri": other.URL + authtest.KeysPath})
	other.Publish(t, key)
	waitUntilReady(t, s)
	wantAnswer(t, s, sign(t, other, key, nil), answer{Status: http.StatusOK})
}

func TestReady_IssuerIsSlow(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	fast, slow := authtest.NewIssuer(t, key), authtest.NewIssuer(t)
	answers := make(chan struct{})
	slow.Answer(authtest.KeysPath, func(w http.ResponseWriter, _ *http.Request) {
		<-answers
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{key.JWK()}})
	})
	s := servertest.Start(t, trust(fast, slow), func(c *server.Config) { c.MaxInFlight = 1 })
	waitUntilReady(t, s)
	// Nobody waits for it: with one place for calls, a call that waited would keep out the next.
	begun := time.Now()
	for range 100 {
		wantAnswer(t, s, sign(t, slow, key, nil), unavailable(unavailableKeys, "1"))
		wantAnswer(t, s, sign(t, fast, key, nil), answer{Status: http.StatusOK})
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("200 calls took %v", took)
	}
	close(answers)
	token := sign(t, slow, key, nil)
	eventually(t, "a token of the slow issuer is accepted", func() bool { return call(t, s, token).Status == http.StatusOK })
	if _, body := get(t, s, "/readyz"); body != "ok" {
		t.Errorf("/readyz: got %s", body)
	}
}

func TestMetrics_ShowTheKeysOfEachIssuer(t *testing.T) {
	alive, dead := authtest.NewIssuer(t, authtest.NewKey(t, "key-1"), authtest.NewKey(t, "key-2")), newDeadIssuer(t)
	s := servertest.Start(t, trust(alive, dead), func(c *server.Config) { c.MetricsAddr = "127.0.0.1:0" })
	waitUntilReady(t, s)
	eventually(t, "a failure is counted", func() bool {
		return !slices.Contains(metrics(t, s.MetricsURL(), dead), `clientsd_issuer_fetch_failures_total{issuer="ISSUER"} 0`)
	})
	if got, want := metrics(t, s.MetricsURL(), alive), []string{
		`clientsd_issuer_fetch_failures_total{issuer="ISSUER"} 0`, `clientsd_issuer_keys{issuer="ISSUER"} 2`,
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := metrics(t, s.MetricsURL(), dead); !slices.Contains(got, `clientsd_issuer_keys{issuer="ISSUER"} 0`) {
		t.Errorf("got %q", got)
	}
}

func TestKeys_CertificateThatDoesNotParse(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	issuer := authtest.NewIssuer(t)
	issuer.AnswerJSON(t, authtest.KeysPath, map[string]any{"keys": []any{
		authtest.With(key.JWK(), map[string]any{"x5c": []string{"MIIC no certificate"}, "x5t": "###", "x5u": ":"}),
	}})
	s := servertest.Start(t, trust(issuer))
	waitUntilReady(t, s)
	wantAnswer(t, s, sign(t, issuer, key, nil), answer{Status: http.StatusOK})
	if got := warnings(t, s, issuer); len(got) > 0 {
		t.Errorf("got warnings %+v", got)
	}
}

func TestKeys_NoneCanBeUsed(t *testing.T) {
	es256, weak := authtest.NewES256Key(t, "elliptic"), authtest.NewKeyOfSize(t, "weak", 1024)
	issuer := authtest.NewIssuer(t, es256, weak)
	s := servertest.Start(t, trust(issuer))
	eventually(t, "a warning about each key and one about the issuer", func() bool { return len(warnings(t, s, issuer)) >= 3 })
	want := []line{
		{Kid: "elliptic", Reason: "it is for ES256, and only tokens that are signed with RS256 are accepted of this issuer"},
		{Kid: "weak", Reason: "it has 1024 bits, 2048 to 8192 are accepted"},
		{Error: "the issuer publishes no key that can be used", Failures: 1},
	}
	got := warnings(t, s, issuer)[:3]
	for i := range want {
		want[i].Level, want[i].Issuer = "WARN", issuer.URL
		want[i].Msg = "skipped a key of an issuer: tokens that are signed with it are refused"
	}
	want[2].Msg = "cannot fetch the signing keys of an issuer: its tokens are refused"
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if status, body := get(t, s, "/readyz"); status != http.StatusServiceUnavailable || body != "no issuer's keys are loaded: see the log" {
		t.Errorf("/readyz: got %d: %s", status, body)
	}
	wantAnswer(t, s, sign(t, issuer, weak, nil), refused("the access token is signed with a key of its issuer that is not accepted"))
	wantAnswer(t, s, sign(t, issuer, es256, nil), refused("the access token is not signed with RS256"))

	t.Run("the algorithm is accepted", func(t *testing.T) {
		s := servertest.Start(t, trust(issuer), func(c *server.Config) { c.Issuers[0].Format.Algorithms = []string{"ES256"} })
		waitUntilReady(t, s)
		wantAnswer(t, s, sign(t, issuer, es256, nil), answer{Status: http.StatusOK})
		wantAnswer(t, s, sign(t, issuer, weak, nil), refused("the access token is not signed with ES256"))
	})
}

const notYetKnown = "the access token is signed with a key that is not known yet: its issuer is asked for it soon"

func TestRotation_TokenWithTheNewKey(t *testing.T) {
	old, next := authtest.NewKey(t, "old"), authtest.NewKey(t, "new")
	issuer := authtest.NewIssuer(t, old)
	s := servertest.Start(t, trust(issuer))
	waitUntilReady(t, s)
	issuer.Publish(t, old, next)
	fetches := issuer.Requests(authtest.KeysPath)
	token := sign(t, issuer, next, nil)

	got := call(t, s, token)
	if got.RetryAfter < "1" || len(got.RetryAfter) > 2 || got.RetryAfter > "30" && len(got.RetryAfter) == 2 {
		t.Errorf("got Retry-After %q", got.RetryAfter)
	}
	got.RetryAfter = ""
	if want := unavailable(notYetKnown, ""); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for _, protocol := range servertest.Protocols() {
		if got := codeOf(t, s, protocol, token); got.String() != "unavailable" {
			t.Errorf("%s: got %v", protocol.Name, got)
		}
	}
	for path, body := range map[string]string{
		"/management/v1/projects/p/apps/00000000-0000-4000-8000-000000000000/oidc_config/_generate_client_secret": `"code":14`,
		"/clients/00000000-0000-4000-8000-000000000000/regenerate-secret":                                         `"temporarily_unavailable"`,
	} {
		response, got := s.PostJSON(t, path, token, "{}")
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || !strings.Contains(strings.ReplaceAll(string(got), " ", ""), body) {
			t.Errorf("%s: got %s, Retry-After %s: %s", path, response.Status, response.Header.Get("Retry-After"), got)
		}
	}
	wantAnswer(t, s, sign(t, issuer, old, nil), answer{Status: http.StatusOK})
	if got := issuer.Requests(authtest.KeysPath); got != fetches {
		t.Errorf("got %d fetches within 30 s, want none", got-fetches)
	}
	if !strings.Contains(s.Logs.String(), notYetKnown) {
		t.Error("nothing in the log says so")
	}
}

// A token that nobody can have signed gains no more than "try again".
func TestRotation_ForgedDates(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	issuer := authtest.NewIssuer(t, key)
	s := servertest.Start(t, trust(issuer))
	waitUntilReady(t, s)
	forger := authtest.NewKey(t, "no such key")
	const unknown = "the access token is signed with a key its issuer does not publish"
	for name, iat := range map[string]any{
		"a minute before the last fetch": time.Now().Add(-time.Minute).Unix(),
		"a minute ahead":                 time.Now().Add(time.Minute).Unix(),
		"in the year 9999":               int64(253402300799),
		"after it":                       json.RawMessage("1e300"),
		"before 1970":                    -1,
		"none":                           nil,
		"null":                           json.RawMessage("null"),
		"text":                           "now",
		"zero":                           0,
	} {
		if got, want := call(t, s, sign(t, issuer, forger, map[string]any{"iat": iat})), refused(unknown); got != want {
			t.Errorf("iat %s: got %+v\nwant %+v", name, got, want)
		}
	}
	if got := call(t, s, sign(t, issuer, forger, nil)); got.Status != http.StatusServiceUnavailable {
		t.Errorf("iat now: got %+v", got)
	}
	wantAnswer(t, s, sign(t, issuer, key, nil), answer{Status: http.StatusOK})
}

// The keys of the built-in issuer follow the database. While it does not answer,
// another server may have made the key of a token.
func TestBuiltInIssuer_KeyThatCannotBeLookedUp(t *testing.T) {
	storagetest.OnFile(t, "table that a test could take away")
	s := servertest.Start(t)
	good := s.Token(t, servertest.All...)
	wantAnswer(t, s, good, accepted)
	forger := authtest.NewKey(t, "made by another server")
	claims := authtest.With(authtest.Claims(issuerOf(t, good), server.DefaultAudience, time.Now()), map[string]any{"iat": time.Now().Add(time.Second).Unix()})
	young := forger.Sign(t, claims, nil)
	s.Exec(t, "ALTER TABLE signing_keys RENAME TO away")
	for range 3 {
		wantAnswer(t, s, young, unavailable(notYetKnown, "1"))
	}
	old := forger.Sign(t, authtest.With(claims, map[string]any{"iat": time.Now().Add(-time.Minute).Unix()}), nil)
	wantAnswer(t, s, old, refused("the access token is signed with a key its issuer does not publish"))
	s.Exec(t, "ALTER TABLE away RENAME TO signing_keys")
	eventually(t, "the key is known not to be there", func() bool {
		return call(t, s, young) == refused("the access token is signed with a key its issuer does not publish")
	})
	wantAnswer(t, s, good, accepted)
}
