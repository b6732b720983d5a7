package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/telemetry"
)

// start makes what a server would, with its metrics on a free port until the
// test ends.
func start(t *testing.T) *telemetry.Telemetry {
	t.Helper()
	made, err := telemetry.New(t.Context(), telemetry.Config{Version: "1.2.3", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Listen(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		made.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if err := made.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return made
}

// scrape reads the metrics as they are written.
func scrape(t *testing.T, from *telemetry.Telemetry) string {
	t.Helper()
	response, err := http.Get(from.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s: %s (%v)", response.Status, text, err)
	}
	return string(text)
}

// register returns a route whose series have begun.
func register(to *telemetry.Telemetry, route telemetry.Route) telemetry.Route {
	to.Register(route)
	return route
}

// serve answers one request by handler behind the middleware.
func serve(to *telemetry.Telemetry, call telemetry.Call, handler http.HandlerFunc) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/", nil)
	to.Middleware(func(*http.Request) telemetry.Call { return call })(handler).ServeHTTP(recorder, request)
	return recorder
}

func TestMiddleware_CodeFromStatus(t *testing.T) {
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	header := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(name, value) }
	}
	made := start(t)
	var want []string
	for _, tt := range []struct {
		name, code string
		handler    http.HandlerFunc
	}{
		{"nothing is answered", "ok", func(http.ResponseWriter, *http.Request) {}},
		{"a body without a status", "ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }},
		{"204", "ok", status(http.StatusNoContent)},
		{"301", "ok", status(http.StatusMovedPermanently)},
		{"304", "ok", status(http.StatusNotModified)},
		{"400", "invalid_argument", status(http.StatusBadRequest)},
		{"401", "unauthenticated", status(http.StatusUnauthorized)},
		{"403", "permission_denied", status(http.StatusForbidden)},
		{"404", "not_found", status(http.StatusNotFound)},
		{"405", "unimplemented", status(http.StatusMethodNotAllowed)},
		{"409", "aborted", status(http.StatusConflict)},
		{"413", "resource_exhausted", status(http.StatusRequestEntityTooLarge)},
		{"415", "unimplemented", status(http.StatusUnsupportedMediaType)},
		{"418", "invalid_argument", status(http.StatusTeapot)},
		{"429", "resource_exhausted", status(http.StatusTooManyRequests)},
		{"500", "internal", status(http.StatusInternalServerError)},
		{"501", "unimplemented", status(http.StatusNotImplemented)},
		{"503", "unavailable", status(http.StatusServiceUnavailable)},
		{"504", "deadline_exceeded", status(http.StatusGatewayTimeout)},
		{"599", "internal", status(599)},
		{"an early hint before the status", "not_found", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotFound)
		}},
		{"gRPC without an error", "ok", header(http.TrailerPrefix+"Grpc-Status", "0")},
		{"gRPC in a trailer", "data_loss", header(http.TrailerPrefix+"Grpc-Status", "15")},
		{"gRPC in a header", "unauthenticated", header("Grpc-Status", "16")},
		{"gRPC with a status that is none", "unknown", header("Grpc-Status", "x")},
	} {
		serve(made, telemetry.Call{Route: register(made, telemetry.Route{API: "test", Method: tt.name})}, tt.handler)
		want = append(want, tt.name+": "+tt.code)
	}
	var got []string
	for _, series := range regexp.MustCompile(`_count\{api="test",code="(.*)",method="(.*)"\} 1\n`).FindAllStringSubmatch(scrape(t, made), -1) {
		got = append(got, series[2]+": "+series[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func TestMiddleware_DescriptionWinsOverStatus(t *testing.T) {
	made := start(t)
	route := register(made, telemetry.Route{API: "test", Method: "Rotate", Rotates: true})
	serve(made, telemetry.Call{Route: route, Code: "not_found"}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	})
	serve(made, telemetry.Call{Route: route, Code: "ok", SecretReleased: true}, func(http.ResponseWriter, *http.Request) {})
	text := scrape(t, made)
	for _, want := range []string{
		`clientsd_call_duration_seconds_count{api="test",code="not_found",method="Rotate"} 1`,
		`clientsd_call_duration_seconds_count{api="test",code="ok",method="Rotate"} 1`,
		`clientsd_rotations_total{api="test",outcome="not_found"} 1`,
		`clientsd_rotations_total{api="test",outcome="ok"} 1`,
		`clientsd_secrets_released_total{api="test",method="Rotate"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
}

// A series that begins with its first call hides that call: a rate needs two
// points.
func TestSeriesBeginAtZero(t *testing.T) {
	made := start(t)
	register(made, telemetry.Route{API: "test", Method: "Rotate", Rotates: true})
	made.Verifications("none")
	text := scrape(t, made)
	for _, want := range []string{
		`clientsd_call_duration_seconds_count{api="test",code="ok",method="Rotate"} 0`,
		`clientsd_rotations_total{api="test",outcome="ok"} 0`,
		`clientsd_verifications_total{match="none"} 0`,
		`clientsd_calls_in_flight 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
}

func TestMiddleware_AbortedHandlerLeavesInFlight(t *testing.T) {
	made := start(t)
	call := telemetry.Call{Route: register(made, telemetry.Route{API: "test", Method: "Abort"})}
	func() {
		defer func() {
			if cause, _ := recover().(error); !errors.Is(cause, http.ErrAbortHandler) {
				t.Error("the panic does not reach net/http")
			}
		}()
		serve(made, call, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}()
	if text := scrape(t, made); !strings.Contains(text, "clientsd_calls_in_flight 0\n") {
		t.Error("it is in flight")
	}
}

func TestMiddleware_FlushAndUnwrap(t *testing.T) {
	made := start(t)
	call := telemetry.Call{Route: register(made, telemetry.Route{API: "test", Method: "Stream"})}
	recorder := serve(made, call, func(w http.ResponseWriter, _ *http.Request) {
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); !ok {
			t.Error("the writer hides what it wraps")
		} else if _, ok := wrapper.Unwrap().(*httptest.ResponseRecorder); !ok {
			t.Errorf("underneath is a %T", wrapper.Unwrap())
		}
	})
	if !recorder.Flushed {
		t.Error("nothing was flushed")
	}
}
