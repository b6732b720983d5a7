package telemetry_test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/reqctx"
	"clientsd/server/servertest"
)

// scan asks for what is not there, by names with word in them, in every place
// that a caller may write to.
func scan(t *testing.T, s servertest.Watched, word string) {
	t.Helper()
	for _, path := range []string{
		"/" + word, "//" + word, "/" + word + "/../livez", "/%2e%2e/" + word, "/livez?" + word, "/metrics/" + word, "/.well-known/" + word,
		servertest.ClientsPath + word, servertest.ClientsPath + "GetClient/" + word, "/clientsd.v1.SecretsService/" + word, "/" + word + ".v1.Service/Method",
		"/grpc.health.v1.Health/" + word, "/grpc.reflection.v1.ServerReflection/" + word, "/grpc.health.v1.Health",
		"/client/" + word + "/regenerate-secret", "/clients/" + word + "/" + word, "/management/v1/" + word, servertest.ZitadelPath(word, word),
		"/logos/" + word + "/" + word + ".png", "/logos/" + word,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, "X-" + word} {
			request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(word))
			if err != nil {
				t.Fatal(err)
			}
			request.Host = word + ".example.com"
			for _, name := range []string{reqctx.IDHeader, "User-Agent", "Origin", "Content-Type", "X-Forwarded-For", "X-Zitadel-Orgid", "X-" + word} {
				request.Header.Set(name, word)
			}
			request.Header.Set("Authorization", "Bearer "+word)
			servertest.Do(t, request)
		}
	}
}

// Whoever scans for paths must not fill the memory of Prometheus.
func TestMetrics_CallersMakeNoSeries(t *testing.T) {
	s := servertest.StartWatched(t)
	scan(t, s, strings.ToLower(rand.Text()))
	before := slices.Sorted(maps.Keys(s.Scrape(t)))
	word := strings.ToLower(rand.Text())
	scan(t, s, word)
	after := slices.Sorted(maps.Keys(s.Scrape(t)))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("series (-before +after):\n%s", diff)
	}
	if all := strings.Join(after, "\n"); strings.Contains(all, word) {
		t.Errorf("a label holds what a caller chose:\n%s", all)
	}
}

// Labels tell of no client, caller or organisation.
func TestMetrics_LabelsAreFixedWords(t *testing.T) {
	s := servertest.StartWatched(t)
	for _, w := range allWays() {
		w.Rotate(t, s.Server, servertest.Attempt{Token: s.Token(t, servertest.AllAPIs...), ClientID: s.Create(t, servertest.Request()).GetClientId()})
	}
	labels := map[string]map[string]bool{}
	for series := range s.Scrape(t) {
		name, rest, _ := strings.Cut(series, "{")
		if !strings.HasPrefix(name, "clientsd_") || strings.HasSuffix(name, "_bucket") {
			continue
		}
		for pair := range strings.SplitSeq(strings.TrimSuffix(rest, "}"), `",`) {
			if label, value, ok := strings.Cut(pair, `="`); ok && label != "method" && label != "goversion" {
				if labels[label] == nil {
					labels[label] = map[string]bool{}
				}
				labels[label][strings.TrimSuffix(value, `"`)] = true
			}
		}
	}
	got := map[string][]string{}
	for label, values := range labels {
		got[label] = slices.Sorted(maps.Keys(values))
	}
	want := map[string][]string{
		"code": {"ok"}, "api": {"clientsd", "none", "vigilo", "xeonr", "zitadel"}, "match": {"current", "ended", "none", "previous"},
		"outcome": {"ok"}, "table": {"idempotency_keys"}, "version": {"1.2.3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}
