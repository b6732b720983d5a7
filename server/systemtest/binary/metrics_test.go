package binary_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"clientsd/server/command"
)

func TestServe_LogsItsMetricsURL(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	logs, stderr := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- command.Run(ctx, version, []string{
			"serve", "--addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0", "--data-dir", t.TempDir(),
		}, io.Discard, stderr)
		stderr.Close()
	}()
	url := ""
	for lines := json.NewDecoder(logs); url == ""; {
		var line struct {
			URL string `json:"metrics_url"`
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		url = line.URL
	}
	go io.Copy(io.Discard, logs) //nolint:errcheck // ends with the server
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(text), `version="1.2.3"`) {
		t.Errorf("the version of the binary is missing: %v\n%s", err, text)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("got exit code %d", code)
	}
}
