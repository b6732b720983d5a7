package binary_test

import (
	"bytes"
	"strings"
	"testing"

	"clientsd/server/command"
)

// The flag --api was called --face.
func TestServe_APIUnderItsOldName(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		env  string
	}{
		"--api":         {args: []string{"--api", "xeonr,hydra"}},
		"--face":        {args: []string{"--face", "xeonr,hydra"}},
		"CLIENTSD_API":  {env: "CLIENTSD_API"},
		"CLIENTSD_FACE": {env: "CLIENTSD_FACE"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv(tt.env, "xeonr,hydra")
			}
			var out, errs bytes.Buffer
			code := command.Run(t.Context(), version, append([]string{"serve", "--data-dir", t.TempDir()}, tt.args...), &out, &errs)
			const want = `--api must be one of "xeonr","zitadel","vigilo" but got "hydra"`
			if code != 2 || !strings.Contains(errs.String(), want) {
				t.Errorf("got exit code %d: %s", code, &errs)
			}
		})
	}
}

func TestServe_HelpShowsOnlyTheNewName(t *testing.T) {
	var out, errs bytes.Buffer
	if code := command.Run(t.Context(), version, []string{"serve", "--help"}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	if help := strings.ToLower(out.String()); !strings.Contains(help, "clientsd_api") || strings.Contains(help, "face") {
		t.Errorf("got %s", &out)
	}
}
