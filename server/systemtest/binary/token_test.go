package binary_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"clientsd/server/command"
)

func TestToken_LivesForDays(t *testing.T) {
	dir := t.TempDir()
	startProcess(t, dir, "--max-secret-overlap=1d12h")
	var out, errs bytes.Buffer
	if code := command.Run(t.Context(), version, []string{"token", "--data-dir", dir, "--scope", "oauth:clients:read", "--ttl", "30d"}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(out.String(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Exp, Iat int64 }
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if got := time.Duration(claims.Exp-claims.Iat) * time.Second; got != 30*24*time.Hour {
		t.Errorf("got a token for %v", got)
	}
}

func TestRun_DurationThatIsNone(t *testing.T) {
	for args, want := range map[string]string{
		"token --scope oauth:clients:read --ttl 30":    `clientsd: --ttl: "30" is no duration: write it like 90s, 12h, 1h30m or 30d`,
		"token --scope oauth:clients:read --ttl=1week": `clientsd: --ttl: "1week" is no duration: write it like 90s, 12h, 1h30m or 30d`,
		"serve --timeout 5":                            `clientsd: --timeout: "5" is no duration: write it like 90s, 12h, 1h30m or 30d`,
	} {
		var out, errs bytes.Buffer
		if code := command.Run(t.Context(), version, strings.Fields(args), &out, &errs); code != 2 || !strings.HasPrefix(errs.String(), want+"\n") {
			t.Errorf("%s: got exit code %d: %s", args, code, &errs)
		}
	}
}
