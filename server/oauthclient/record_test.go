package oauthclient_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Every database holds microseconds, and every reader wants one time zone.
func TestCreate_TimesInUTCMicroseconds(t *testing.T) {
	at := time.Date(2026, 3, 29, 2, 30, 0, 123_456_789, time.FixedZone("CEST", 7200))
	w := newWorld(t, func() time.Time { return at })
	record := w.create(t, input())
	want := time.Date(2026, 3, 29, 0, 30, 0, 123_456_000, time.UTC)
	row := w.row(t, record.ID)
	for name, got := range map[string]time.Time{
		"created at": row.CreatedAt, "updated at": row.UpdatedAt, "secret created at": *row.SecretCreatedAt,
		"the answer's created at": record.CreatedAt, "the event's": w.events(t, record.ID)[0].At,
	} {
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestRecord_DoesNotShowSecret(t *testing.T) {
	w := newWorld(t, nil)
	record := w.create(t, input())
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("careless", "record", record, "client", record.Client)
	marshalled, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{log.String(), string(marshalled)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		shown = append(shown, fmt.Sprintf(verb, record), fmt.Sprintf(verb, &record), fmt.Sprintf(verb, record.Client), fmt.Sprintf(verb, []any{record}))
	}
	random := strings.TrimPrefix(record.Secret.Reveal(), "sk_live_")
	for _, text := range shown {
		for _, part := range []string{random, fmt.Sprintf("%x", random), strings.Trim(fmt.Sprintf("%d", []byte(random)), "[]")} {
			if strings.Contains(text, part) {
				t.Errorf("the secret shows in %s", text)
			}
		}
	}
}

// What the database holds must not show by accident either.
func TestRecord_DoesNotShowDigestInJSON(t *testing.T) {
	w := newWorld(t, nil)
	marshalled, err := json.Marshal(w.create(t, input()))
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"digest", "sealed"} {
		if strings.Contains(string(marshalled), column) {
			t.Errorf("the %s is in %s", column, marshalled)
		}
	}
}
