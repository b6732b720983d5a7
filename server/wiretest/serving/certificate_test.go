package serving_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"clientsd/server/servertest"
)

const (
	day  = 24 * time.Hour
	year = 365 * day

	expiryMetric = "clientsd_tls_certificate_expiry_timestamp_seconds"
)

func hostOf(s *servertest.Server) string { return strings.TrimPrefix(s.URL, "https://") }

func waitForLog(t *testing.T, s *servertest.Server, text string) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); !strings.Contains(s.Logs.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%q is not in the log:\n%s", text, s.Logs)
		}
	}
}

func TestCertificate_RenewedFiles(t *testing.T) {
	t.Parallel()
	cert := servertest.NewCertificate(t, year, 60*day)
	s := servertest.StartWatched(t, cert.Serve)
	old := servertest.Shown(t, hostOf(s.Server))
	s.Want(t, expiryMetric, map[string]float64{"": float64(old.NotAfter.Unix())})
	renewed := cert.Renew(t, year, 90*day)
	waitForLog(t, s.Server, `"msg":"the certificate was read again"`)
	if got := servertest.Shown(t, hostOf(s.Server)); !got.Equal(renewed) {
		t.Errorf("got the certificate until %v, want the one until %v", got.NotAfter, renewed.NotAfter)
	}
	s.Want(t, expiryMetric, map[string]float64{"": float64(renewed.NotAfter.Unix())})
	client := clientOf(cert.Trust(t), true)
	defer client.CloseIdleConnections()
	response, err := client.Get(s.URL + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("got %s", response.Status)
	}
	if logs := s.Logs.String(); strings.Contains(logs, `"level":"WARN"`) || strings.Contains(logs, `"level":"ERROR"`) {
		t.Errorf("the log complains:\n%s", logs)
	}
}

// A renewal that went wrong must be noticed before the old certificate ends.
func TestCertificate_BrokenFiles(t *testing.T) {
	t.Parallel()
	cert := servertest.NewCertificate(t, year, 60*day)
	s := servertest.Start(t, cert.Serve)
	old := servertest.Shown(t, hostOf(s))
	const complaint = `"level":"ERROR","msg":"cannot read the certificate again; the old one is still used","error":"`
	wantOld := func(because string) {
		t.Helper()
		waitForLog(t, s, complaint+because+`"`)
		if got := servertest.Shown(t, hostOf(s)); !got.Equal(old) {
			t.Errorf("%s: got the certificate until %v, want the one until %v", because, got.NotAfter, old.NotAfter)
		}
	}
	other := servertest.NewCertificate(t, year, 90*day)
	if err := os.Rename(other.CertFile, cert.CertFile); err != nil {
		t.Fatal(err)
	}
	wantOld("--tls-cert " + cert.CertFile + " and --tls-key " + cert.KeyFile + ": tls: private key does not match public key")
	if err := os.Remove(cert.KeyFile); err != nil {
		t.Fatal(err)
	}
	wantOld("--tls-key: open " + cert.KeyFile + ": no such file or directory")
	if err := os.Rename(other.KeyFile, cert.KeyFile); err != nil {
		t.Fatal(err)
	}
	waitForLog(t, s, `"msg":"the certificate was read again"`)
	if got := servertest.Shown(t, hostOf(s)); got.Equal(old) {
		t.Error("the old certificate is still used")
	}
	if found := strings.Count(s.Logs.String(), complaint); found != 2 {
		t.Errorf("the log complains %d times", found)
	}
}

func TestCertificate_EndIsNear(t *testing.T) {
	for name, tt := range map[string]struct {
		life, left time.Duration
		want       string
	}{
		"months":              {year, 15 * day, ""},
		"two weeks":           {year, 13 * day, "the certificate expires soon"},
		"of a week, two days": {7 * day, 2 * day, ""},
		"of a week, a day":    {7 * day, day, "the certificate expires soon"},
		"over":                {year, -time.Hour, "the certificate has expired: callers refuse it"},
		"not yet":             {day, 3 * day, "the certificate is not valid yet: callers refuse it"},
	} {
		t.Run(name, func(t *testing.T) {
			cert := servertest.NewCertificate(t, tt.life, tt.left)
			logs := servertest.Start(t, cert.Serve).Logs.String()
			want := `"level":"WARN","msg":"` + tt.want + `","file":"` + cert.CertFile + `"`
			if tt.want == "" && strings.Contains(logs, `"WARN"`) || tt.want != "" && strings.Count(logs, want) != 1 {
				t.Errorf("want %q, got\n%s", tt.want, logs)
			}
		})
	}
}

// A server that runs for months says so too, once each.
func TestCertificate_EndComesNear(t *testing.T) {
	t.Parallel()
	clock, option := servertest.StopClock()
	cert := servertest.NewCertificate(t, year, 60*day)
	s := servertest.Start(t, cert.Serve, option)
	for _, tt := range []struct {
		later time.Duration
		want  string
	}{
		{50 * day, "the certificate expires soon"},
		{61 * day, "the certificate has expired: callers refuse it"},
	} {
		clock.Set(time.Now().Add(tt.later))
		waitForLog(t, s, `"level":"WARN","msg":"`+tt.want+`"`)
	}
	stillOver := cert.Renew(t, year, 10*day)
	waitForLog(t, s, `"msg":"the certificate has expired: callers refuse it","file":"`+cert.CertFile+
		`","not_before":"`+stillOver.NotBefore.Format(time.RFC3339))
	renewed := cert.Renew(t, year, 200*day)
	waitForLog(t, s, `"not_after":"`+renewed.NotAfter.Format(time.RFC3339))
	if found := strings.Count(s.Logs.String(), `"level":"WARN"`); found != 3 {
		t.Errorf("warned %d times:\n%s", found, s.Logs)
	}
}

func TestCertificate_None(t *testing.T) {
	s := servertest.StartWatched(t)
	if value, found := s.Scrape(t)[expiryMetric]; found {
		t.Errorf("without a certificate it ends at %v", value)
	}
}
