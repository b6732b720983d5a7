package servertest

import (
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server"
)

// A Watched server is one with metrics.
type Watched struct {
	*Server

	MetricsAddr string // the address
}

func StartWatched(t *testing.T, options ...func(*server.Config)) Watched {
	t.Helper()
	address := FreeAddress(t)
	options = append(options, func(c *server.Config) { c.MetricsAddr, c.Version = address, "1.2.3" })
	return Watched{Start(t, options...), address}
}

// Read gets the metrics as they are written.
func (w Watched) Read(t testing.TB) string {
	t.Helper()
	response, err := http.Get("http://" + w.MetricsAddr + "/metrics")
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

// Scrape reads the metrics as Prometheus does: the value of each series, by its
// name and labels as they are written.
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

// Named are the series of a metric that are not zero, without its name.
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

// Want fails the test unless these are all series of a metric that are not
// zero. A call is counted once it is answered, so that may take a moment.
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

// FreeAddress is a loopback address nobody listens on.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
