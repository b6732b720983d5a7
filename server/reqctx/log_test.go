package reqctx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"clientsd/server/reqctx"
)

// call17 returns the context of a request, traced or not.
func call17(t *testing.T, flags trace.TraceFlags) context.Context {
	t.Helper()
	ctx, _ := identified(t, func(r *http.Request) { r.Header.Set(reqctx.IDHeader, "call-17") })
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 2}, TraceFlags: flags,
	}))
}

func TestLogHandler_AddsTheIDs(t *testing.T) {
	const traceID, spanID = "00000000000000000000000000000001", "0000000000000002"
	for name, tt := range map[string]struct {
		ctx  context.Context //nolint:containedctx // what differs from test to test
		log  func(*slog.Logger) *slog.Logger
		want map[string]any
	}{
		"no call": {t.Context(), nil, map[string]any{"a": "b"}},
		"a call":  {call17(t, 0), nil, map[string]any{"a": "b", "request_id": "call-17"}},
		"a call whose trace is collected": {
			call17(t, trace.FlagsSampled), nil,
			map[string]any{"a": "b", "request_id": "call-17", "trace_id": traceID, "span_id": spanID},
		},
		"a log with something of its own": {
			call17(t, 0), func(l *slog.Logger) *slog.Logger { return l.With("c", "d") },
			map[string]any{"a": "b", "c": "d", "request_id": "call-17"},
		},
		"a log in a group": {
			call17(t, 0), func(l *slog.Logger) *slog.Logger { return l.WithGroup("g") },
			map[string]any{"g": map[string]any{"a": "b", "request_id": "call-17"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			log := slog.New(reqctx.LogHandler(slog.NewJSONHandler(&text, nil)))
			if tt.log != nil {
				log = tt.log(log)
			}
			log.InfoContext(tt.ctx, "line", "a", "b")
			got := map[string]any{}
			if err := json.Unmarshal(text.Bytes(), &got); err != nil {
				t.Fatalf("%v in %s", err, &text)
			}
			for _, common := range []string{"time", "level", "msg"} {
				delete(got, common)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogHandler_KeepsTheLevel(t *testing.T) {
	var text bytes.Buffer
	slog.New(reqctx.LogHandler(slog.NewJSONHandler(&text, nil))).DebugContext(call17(t, 0), "line")
	if text.Len() > 0 {
		t.Errorf("got %s", &text)
	}
}

func TestResult_IsWhatWasNotedLast(t *testing.T) {
	ctx, _ := identified(t, func(*http.Request) {})
	want := func(name string, want reqctx.Result) {
		t.Helper()
		if got := reqctx.ResultOf(ctx); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	want("at first", reqctx.Result{})
	reqctx.SetSecretReleased(ctx)
	reqctx.SetCode(context.WithoutCancel(ctx), reqctx.OK)
	want("a secret", reqctx.Result{Code: "ok", SecretReleased: true})
	reqctx.SetCode(ctx, "internal")
	want("a failure after that", reqctx.Result{Code: "internal"})
}

func TestOnAnswer_CallsOnce(t *testing.T) {
	ctx, _ := identified(t, func(*http.Request) {})
	calls := 0
	reqctx.OnAnswer(context.WithoutCancel(ctx), func() { calls++ })
	if calls != 0 {
		t.Errorf("before the answer: called %d times", calls)
	}
	reqctx.Answered(ctx)
	reqctx.Answered(ctx)
	if calls != 1 {
		t.Errorf("after the answer: called %d times", calls)
	}
	reqctx.OnAnswer(t.Context(), func() { calls++ })
	if calls != 2 {
		t.Error("outside a request: not called")
	}
}

func TestResult_OutsideARequestIsEmpty(t *testing.T) {
	reqctx.SetCode(t.Context(), reqctx.OK)
	reqctx.SetSecretReleased(t.Context())
	if got := reqctx.ResultOf(t.Context()); got != (reqctx.Result{}) {
		t.Errorf("got %+v", got)
	}
}
