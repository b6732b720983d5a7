package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"clientsd/server/secret"
)

// holder is a value that a careless log statement could print: a secret in
// exported fields and in one that fmt may not read.
type holder struct {
	Secret  secret.Secret
	Pointer *secret.Secret
	Keyset  *secret.Keyset
	hidden  secret.Secret
	List    []secret.Secret
	Map     map[string]secret.Secret
}

func TestSecret_IsRedactedEverywhere(t *testing.T) {
	plain, keyset := knownSecret(t), newKeyset(t)
	h := holder{plain, &plain, keyset, plain, []secret.Secret{plain}, map[string]secret.Secret{"a": plain}}
	values := map[string]any{
		"a secret": plain, "a pointer": &plain, "a keyset": keyset, "a holder": h, "a pointer to a holder": &h,
		"a list": h.List, "a map": h.Map, "no secret": secret.Secret{}, "a key": map[secret.Secret]int{plain: 1},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08.3f", "%T", "%p", "%z"} {
			t.Run(name+" by "+verb, func(t *testing.T) { wantNothing(t, fmt.Sprintf(verb, value)) })
		}
		t.Run(name+" in a log", func(t *testing.T) {
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("careless", "value", value)
			slog.New(slog.NewTextHandler(&log, nil)).Info("careless", "value", value, slog.Group("group", "value", value))
			wantNothing(t, log.String())
		})
	}
	for _, value := range []any{plain, &plain, h.List, h.Map, keyset} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		wantNothing(t, string(text))
	}
	text, err := xml.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	wantNothing(t, string(text))
	if got := fmt.Sprintf("%v %s %#v", plain, plain, plain); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("got %s", got)
	}
}

// wantNothing fails the test if a text holds a part of the secret or its bytes.
func wantNothing(t *testing.T, text string) {
	t.Helper()
	random := known[8:20]
	for _, part := range []string{random, fmt.Sprintf("%x", random), fmt.Sprintf("%X", random), strings.Trim(fmt.Sprintf("%d", []byte(random)), "[]")} {
		if strings.Contains(text, part) {
			t.Errorf("%q shows in %s", part, text)
		}
	}
}

func TestSecret_ZeroIsEmpty(t *testing.T) {
	if got := (secret.Secret{}); got.Reveal() != "" || !got.IsZero() {
		t.Errorf("got %q, IsZero %v", got.Reveal(), got.IsZero())
	}
}
