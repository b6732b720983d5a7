package server_test

import (
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server"
	"clientsd/server/servertest"
)

// A watched server is one with metrics.
type watched struct {
	*servertest.Server

	metrics string // the address
}

func startWatched(t *testing.T, options ...func(*server.Config)) watched {
	t.Helper()
	address := freeAddress(t)
	options = append(options, func(c *server.Config) { c.MetricsAddr, c.Version = address, "1.2.3" })
	return watched{servertest.Start(t, options...), address}
}

// read gets the metrics as they are written.
func (w watched) read(t testing.TB) string {
	t.Helper()
	response, err := http.Get("http://" + w.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s: %s (%v)", response.Status, text, err)
	}
	return string(text)
}

// scrape reads the metrics as Prometheus does: the value of each series, by its
// name and labels as they are written.
func (w watched) scrape(t testing.TB) map[string]float64 {
	t.Helper()
	series := map[string]float64{}
	for line := range strings.Lines(w.read(t)) {
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

// named are the series of a metric that are not zero, without its name.
func (w watched) named(t testing.TB, metric string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for series, value := range w.scrape(t) {
		if labels, ok := strings.CutPrefix(series, metric); ok && value != 0 && (labels == "" || labels[0] == '{') {
			found[labels] = value
		}
	}
	return found
}

// want fails the test unless these are all series of a metric that are not
// zero. A call is counted once it is answered, so that may take a moment.
func (w watched) want(t testing.TB, metric string, want map[string]float64) {
	t.Helper()
	got := w.named(t, metric)
	for until := time.Now().Add(10 * time.Second); !maps.Equal(got, want) && time.Now().Before(until); got = w.named(t, metric) {
		time.Sleep(time.Millisecond)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", metric, diff)
	}
}
