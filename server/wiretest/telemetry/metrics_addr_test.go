package telemetry_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
	"clientsd/server/storage"
)

func TestMetricsAddr_ServesNothingElse(t *testing.T) {
	s := servertest.StartWatched(t)
	base := strings.TrimSuffix(s.MetricsURL, "/metrics")
	for url, want := range map[string]int{
		base + "/metrics":      http.StatusOK,
		base + "/":             http.StatusNotFound,
		base + "/livez":        http.StatusNotFound,
		base + "/debug/pprof/": http.StatusNotFound,
		base + servertest.ClientsPath + "GetClient": http.StatusNotFound,
		s.URL + "/metrics":                          http.StatusNotFound,
	} {
		response, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: got %s, want %d", url, response.Status, want)
		}
	}
	response, err := http.Post(s.MetricsURL, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %s", response.Status)
	}
}

func TestMetricsAddr_None(t *testing.T) {
	s, err := server.New(t.Context(), server.Config{Addr: "127.0.0.1:0", Storage: storage.Config{Dir: t.TempDir(), Create: true}})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.MetricsURL(); got != "" {
		t.Errorf("there are metrics at %q", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestMetricsAddr_Taken(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := servertest.ReservedAddr(t)
	_, err = server.New(t.Context(), server.Config{
		Addr: address, MetricsAddr: taken.Addr().String(), Storage: storage.Config{Dir: t.TempDir(), Create: true},
	})
	want := "--metrics-addr: listen tcp " + taken.Addr().String() + ": bind: address already in use"
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		t.Error("it listens all the same")
		_ = conn.Close()
	}
}

func TestMetricsAddr_CoversTheService(t *testing.T) {
	address := servertest.ReservedAddr(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.New(t.Context(), server.Config{
		Addr: address, MetricsAddr: "0.0.0.0:" + port, Storage: storage.Config{Dir: t.TempDir(), Create: true},
	})
	if got := fmt.Sprint(err); !strings.HasPrefix(got, "--metrics-addr: listen tcp 0.0.0.0:"+port+": bind: ") {
		t.Errorf("got %s", got)
	}
}

// Who stops a server wants to see how.
func TestMetricsAddr_ServesUntilTheLastCall(t *testing.T) {
	s := servertest.StartWatched(t)
	slow := s.RotateSlowly(t, s.Create(t, servertest.Request()).GetClientId())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop(t)
	}()
	for ready, _ := s.Get(t, "/readyz"); ready.StatusCode == http.StatusOK; ready, _ = s.Get(t, "/readyz") {
		time.Sleep(time.Millisecond)
	}
	s.Want(t, "clientsd_calls_in_flight", map[string]float64{"": 1})
	slow.Finish(t)
	<-stopped
	if conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.MetricsURL, "http://"), "/metrics")); err == nil {
		t.Error("the metrics are there after the server has stopped")
		_ = conn.Close()
	}
	if logs := s.Logs.String(); strings.Contains(logs, `"WARN"`) || strings.Contains(logs, `"ERROR"`) {
		t.Errorf("the log tells of trouble:\n%s", logs)
	}
}

// ageOfOldest is what a server on the data of another says two days after made.
func ageOfOldest(t *testing.T, data *servertest.Server, made time.Time) float64 {
	t.Helper()
	clock := func() time.Time { return made.Add(48 * time.Hour) }
	s := servertest.StartWatched(t, servertest.InDir(data.Dir), func(c *server.Config) { c.Clock = clock })
	defer s.Stop(t)
	found := s.Named(t, "clientsd_oldest_secret_age_seconds")
	for len(found) == 0 { // it is looked for in the background
		time.Sleep(time.Millisecond)
		found = s.Named(t, "clientsd_oldest_secret_age_seconds")
	}
	return found[""]
}

func TestMetrics_OldestSecret(t *testing.T) {
	const twoDays = 48 * 60 * 60
	s := servertest.Start(t)
	first, second := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.Request()).GetClientId()
	s.Create(t, servertest.PublicRequest())
	if got := ageOfOldest(t, s, *s.Row(t, first).SecretCreatedAt); got != twoDays {
		t.Errorf("got %v s, want %d", got, twoDays)
	}
	servertest.OverXeonr(t, s, servertest.Attempt{Token: s.Token(t, servertest.All...), ClientID: first})
	if got := ageOfOldest(t, s, *s.Row(t, second).SecretCreatedAt); got != twoDays {
		t.Errorf("after a rotation: got %v s, want %d", got, twoDays)
	}
}

func TestMetrics_OldestSecretWithoutOne(t *testing.T) {
	s := servertest.StartWatched(t)
	s.Create(t, servertest.PublicRequest())
	s.Want(t, "clientsd_oldest_secret_age_seconds", map[string]float64{})
}

func TestMetrics_ProcessAndDatabase(t *testing.T) {
	s := servertest.StartWatched(t)
	s.Create(t, servertest.Request())
	got := s.Scrape(t)
	wal := filepath.Join(s.Dir, "clientsd.db-wal")
	if info, err := os.Stat(wal); err == nil && got["clientsd_sqlite_wal_bytes"] != float64(info.Size()) {
		t.Errorf("got a WAL of %v bytes, want %d", got["clientsd_sqlite_wal_bytes"], info.Size())
	}
	var names []string
	for series := range got {
		name, _, _ := strings.Cut(series, "{")
		names = append(names, name)
	}
	for _, want := range []string{
		"clientsd_build_info", "go_goroutines", "go_gc_duration_seconds_count", "process_cpu_seconds_total", "process_resident_memory_bytes",
		"go_sql_in_use_connections", "go_sql_wait_duration_seconds_total",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %s", want)
		}
	}
}

func TestMetrics_ClientsAndTheirLimit(t *testing.T) {
	before := servertest.Start(t)
	for range 3 {
		before.Create(t, servertest.PublicRequest())
	}
	other := before.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "other"})
	id := before.CreateAs(t, other, servertest.Request()).GetClientId()
	before.Exec(t, "UPDATE oauth_clients SET application_bindings = ?", "[]")
	before.Exec(t, "UPDATE oauth_clients SET application_bindings = ? WHERE id = ?", `["é"]`, id)
	before.Stop(t)
	s := servertest.StartWatched(t, servertest.InDir(before.Dir), func(c *server.Config) { c.MaxClientsPerOrganisation = 7 })
	for len(s.Named(t, "clientsd_clients")) == 0 { // they are counted in the background
		time.Sleep(time.Millisecond)
	}
	for name, want := range map[string]float64{
		"clientsd_clients": 4, "clientsd_largest_organisation_clients": 3, "clientsd_max_clients_per_organisation": 7,
		"clientsd_json_config_bytes": 3*2 + 6,
	} {
		s.Want(t, name, map[string]float64{"": want})
	}
}
