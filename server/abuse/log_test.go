package abuse_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/abuse"
)

// newLog returns Failures and what they log: JSON, a line an entry.
func newLog() (*abuse.Failures, *bytes.Buffer) {
	var text bytes.Buffer
	return abuse.New(1, time.Now, slog.New(slog.NewJSONHandler(&text, nil))), &text
}

// lines are the entries so far, in any order, each as one text: message,
// caller, call, reason and count.
func lines(t *testing.T, text *bytes.Buffer) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(text.String()) {
		var entry struct {
			Level, Msg, Caller, Call, Reason string
			More                             int
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if entry.Level != "WARN" {
			t.Errorf("level %s: %s", entry.Level, line)
		}
		found = append(found, fmt.Sprintf("%s: %s|%s|%s|%d", entry.Msg, entry.Caller, entry.Call, entry.Reason, entry.More))
	}
	text.Reset()
	slices.Sort(found)
	return found
}

func wantLines(t *testing.T, text *bytes.Buffer, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, lines(t, text)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

var denied = abuse.Denial{Caller: "mallory", Call: "/service/Method", Reason: "no"}

func TestLog_FirstDenialImmediatelyAndTheRestInOneLine(t *testing.T) {
	log, text := newLog()
	for range 100 {
		log.Log(t.Context(), denied)
	}
	wantLines(t, text, "denied: mallory|/service/Method|no|0")
	log.Flush(t.Context())
	wantLines(t, text, "denied more often: mallory|/service/Method|no|99")
	log.Flush(t.Context())
	wantLines(t, text)
}

func TestLog_SingleDenialIsOneLine(t *testing.T) {
	log, text := newLog()
	log.Log(t.Context(), denied)
	log.Flush(t.Context())
	wantLines(t, text, "denied: mallory|/service/Method|no|0")
}

func TestLog_NextWindowStartsAgain(t *testing.T) {
	log, text := newLog()
	for range 2 {
		log.Log(t.Context(), denied)
		log.Log(t.Context(), denied)
		log.Flush(t.Context())
		wantLines(t, text, "denied more often: mallory|/service/Method|no|1", "denied: mallory|/service/Method|no|0")
	}
}

func TestLog_DenialsThatDifferAreNotFolded(t *testing.T) {
	log, text := newLog()
	for _, d := range []abuse.Denial{
		denied,
		{Caller: "trudy", Call: denied.Call, Reason: denied.Reason},
		{Caller: denied.Caller, Call: "/other", Reason: denied.Reason},
		{Caller: denied.Caller, Call: denied.Call, Reason: "never"},
	} {
		log.Log(t.Context(), d)
	}
	wantLines(t, text,
		"denied: mallory|/other|no|0",
		"denied: mallory|/service/Method|never|0",
		"denied: mallory|/service/Method|no|0",
		"denied: trudy|/service/Method|no|0")
}

func TestLog_OfAClientWhateverTheCaller(t *testing.T) {
	log, text := newLog()
	guess := abuse.Denial{Client: "client-1", Call: "/service/Method", Reason: "wrong"}
	for _, caller := range []string{"mallory", "trudy", "mallory"} {
		log.Log(t.Context(), guess, "caller", caller, "address", "192.0.2.1")
	}
	log.Flush(t.Context())
	want := []map[string]any{
		{"msg": "denied", "client": "client-1", "call": "/service/Method", "reason": "wrong", "caller": "mallory", "address": "192.0.2.1"},
		{"msg": "denied more often", "client": "client-1", "call": "/service/Method", "reason": "wrong", "more": 2.0},
	}
	var got []map[string]any
	for line := range strings.Lines(text.String()) {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		delete(entry, "time")
		delete(entry, "level")
		got = append(got, entry)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestLog_ManyKindsAreCountedTogether(t *testing.T) {
	log, text := newLog()
	const kinds, beyond = 1024, 500
	for i := range kinds + beyond {
		log.Log(t.Context(), abuse.Denial{Caller: strconv.Itoa(i)})
	}
	log.Log(t.Context(), abuse.Denial{Caller: "0"})
	if got := len(lines(t, text)); got != kinds {
		t.Errorf("got %d lines, want %d", got, kinds)
	}
	log.Flush(t.Context())
	wantLines(t, text, "denied more often: 0|||1", "denied more often: others||various|500")
}

func TestLog_CallersTextStaysInItsLine(t *testing.T) {
	log, text := newLog()
	evil := "a\n{\"msg\":\"forged\"}\r\x1b[31mred\x00\u2028\"\\"
	log.Log(t.Context(), abuse.Denial{Caller: evil, Call: evil, Reason: evil})
	log.Log(t.Context(), abuse.Denial{Caller: evil, Call: evil, Reason: evil})
	log.Flush(t.Context())
	if strings.ContainsAny(text.String(), "\x1b\x00\r") {
		t.Errorf("the log has control characters: %q", text)
	}
	wantLines(t, text, fmt.Sprintf("denied more often: %s|%[1]s|%[1]s|1", evil), fmt.Sprintf("denied: %s|%[1]s|%[1]s|0", evil))
}

func TestLog_LosesNothingConcurrently(t *testing.T) {
	log, text := newLog()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				log.Log(t.Context(), denied)
			}
		})
	}
	group.Wait()
	log.Flush(t.Context())
	wantLines(t, text, "denied more often: mallory|/service/Method|no|799", "denied: mallory|/service/Method|no|0")
}
