package servertest

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server"
)

// A Watched server serves metrics.
type Watched struct {
	*Server

	// MetricsURL is where Prometheus finds the metrics.
	MetricsURL string
}

// StartWatched runs a service of version 1.2.3 with metrics until the test ends.
func StartWatched(t *testing.T, options ...func(*server.Config)) Watched {
	t.Helper()
	s := Start(t, append(options, func(c *server.Config) { c.MetricsAddr, c.Version = "127.0.0.1:0", "1.2.3" })...)
	return Watched{s, s.server.MetricsURL()}
}

// Read returns the metrics as Prometheus reads them.
func (w Watched) Read(t testing.TB) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.MetricsURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, text := Do(t, request)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("got %s: %s", response.Status, text)
	}
	return string(text)
}

// Scrape returns the value of each series, by its name and labels as they are
// written.
func (w Watched) Scrape(t testing.TB) map[string]float64 {
	t.Helper()
	series := map[string]float64{}
	for line := range strings.Lines(w.Read(t)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		var err error
		if series[line[:end]], err = strconv.ParseFloat(strings.TrimSpace(line[end:]), 64); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
	}
	return series
}

// Named returns the series of a metric that are not zero, by their labels.
func (w Watched) Named(t testing.TB, metric string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for series, value := range w.Scrape(t) {
		if labels, ok := strings.CutPrefix(series, metric); ok && value != 0 && (labels == "" || labels[0] == '{') {
			found[labels] = value
		}
	}
	return found
}

// Want fails the test unless Named returns this. It waits, because a call is counted
// after its answer was sent.
func (w Watched) Want(t testing.TB, metric string, want map[string]float64) {
	t.Helper()
	got := w.Named(t, metric)
	for until := time.Now().Add(10 * time.Second); !maps.Equal(got, want) && time.Now().Before(until); got = w.Named(t, metric) {
		time.Sleep(time.Millisecond)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", metric, diff)
	}
}
