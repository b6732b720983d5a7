package certificate_test

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"clientsd/server/certificate"
	"clientsd/server/servertest"
)

// A file that stays broken is one line of the log, until somebody asks again.
func TestCheck_LogsAFailureOnce(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	files := servertest.NewCertificate(t, time.Hour, time.Hour)
	c, err := certificate.Open(t.Context(), files.CertFile, files.KeyFile, time.Now, slog.New(slog.NewTextHandler(&logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files.KeyFile); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		certificate.Check(c, t.Context())
	}
	if found := strings.Count(logs.String(), "level=ERROR"); found != 1 {
		t.Errorf("logged %d times:\n%s", found, &logs)
	}
	c.Reload(t.Context())
	if found := strings.Count(logs.String(), "level=ERROR"); found != 2 {
		t.Errorf("after Reload: logged %d times:\n%s", found, &logs)
	}
}
