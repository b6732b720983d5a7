package telemetry_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/server"
	"clientsd/server/servertest"
	"clientsd/server/storage"
)

const (
	remoteTrace = "0af7651916cd43dd8448eb211c80319c"
	remoteSpan  = "b7ad6b7169203331"
)

// traced is the header of a caller who has a trace, and much to tell.
func traced() []string {
	return []string{
		"X-Request-Id", "call-17", "Traceparent", "00-" + remoteTrace + "-" + remoteSpan + "-01",
		"Tracestate", "vendor=free-text", "Baggage", "user=free-text", "User-Agent", "free-text", "X-Forwarded-For", "free-text",
	}
}

// The spans hold these words and no others: no address, no path, no header but
// the id.
func TestTraces_OfEveryAPI(t *testing.T) {
	c := servertest.StartCollector(t)
	s := servertest.Start(t)
	nobody := uuid.NewString()
	for _, path := range []string{servertest.ClientsPath + "GetClient", servertest.VigiloPath(nobody), servertest.ZitadelPath(servertest.Application, nobody)} {
		s.CallREST(t, http.MethodPost, path, s.Token(t, servertest.AllAPIs...), `{"clientId": "`+nobody+`"}`, traced()...)
	}
	for _, path := range []string{"/nothing/free-text", "/logos/free-text/b.png", "/client/free-text/regenerate-secret", servertest.ClientsPath + "GetPublicClients"} {
		s.Get(t, path, traced()...)
	}
	s.CallREST(t, "FREE-TEXT", servertest.ClientsPath+"ListClients", "bad", "{}", traced()...)
	s.Stop(t)
	want := []string{
		"GET /clients/{client_id}/regenerate-secret||clientsd.api=vigilo|clientsd.code=unimplemented|http.request.method=GET|http.response.status_code=405|http.route=/clients/{client_id}/regenerate-secret",
		"GET /logos/{client}/{file}||clientsd.api=none|clientsd.code=not_found|http.request.method=GET|http.response.status_code=404|http.route=/logos/{client}/{file}",
		"POST /clients/{client_id}/regenerate-secret||clientsd.api=vigilo|clientsd.code=not_found|http.request.method=POST|http.response.status_code=401|http.route=/clients/{client_id}/regenerate-secret",
		"POST /management/v1/||clientsd.api=zitadel|clientsd.code=not_found|http.request.method=POST|http.response.status_code=404|http.route=/management/v1/",
		"unknown||clientsd.api=none|clientsd.code=unimplemented|http.request.method=GET|http.response.status_code=404",
		"xeonr.auth.api.v1.ClientsService/GetClient|xeonr.auth.api.v1.ClientsService/GetClient|error.type=NOT_FOUND|rpc.method=xeonr.auth.api.v1.ClientsService/GetClient|rpc.response.status_code=NOT_FOUND|rpc.system.name=connectrpc",
		"xeonr.auth.api.v1.ClientsService/GetClient||clientsd.api=xeonr|clientsd.code=not_found|http.request.method=POST|http.response.status_code=404",
		"xeonr.auth.api.v1.ClientsService/GetPublicClients||clientsd.api=xeonr|clientsd.code=unimplemented|http.request.method=GET|http.response.status_code=415",
		"xeonr.auth.api.v1.ClientsService/ListClients||clientsd.api=xeonr|clientsd.code=unauthenticated|http.request.method=_OTHER|http.response.status_code=401",
		"zitadel.management.v1.ManagementService/RegenerateOIDCClientSecret|POST /management/v1/|error.type=NOT_FOUND|rpc.method=zitadel.management.v1.ManagementService/RegenerateOIDCClientSecret|rpc.response.status_code=NOT_FOUND|rpc.system.name=connectrpc",
	}
	got := c.Transcript()
	for i := range got {
		got[i] = strings.Replace(got[i], "|clientsd.request_id=call-17", "", 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if raw := c.Raw.String(); strings.Contains(strings.ToLower(raw), "free-text") || strings.Contains(raw, "127.0.0.1") {
		t.Errorf("what was exported holds what the caller has sent, or an address:\n%q", raw)
	}
}

func TestTraces_HideTheCauseOfAFault(t *testing.T) {
	c := servertest.StartCollector(t)
	s := servertest.Start(t)
	s.Exec(t, "ALTER TABLE oauth_clients RENAME TO gone")
	s.CallREST(t, http.MethodPost, servertest.ClientsPath+"ListClients", s.Token(t, servertest.ScopeRead), "{}", traced()...)
	s.Stop(t)
	want := []string{
		"xeonr.auth.api.v1.ClientsService/ListClients|xeonr.auth.api.v1.ClientsService/ListClients|error.type=INTERNAL|rpc.method=xeonr.auth.api.v1.ClientsService/ListClients|rpc.response.status_code=INTERNAL|rpc.system.name=connectrpc|status=" + servertest.InternalError,
		"xeonr.auth.api.v1.ClientsService/ListClients||clientsd.api=xeonr|clientsd.code=internal|clientsd.request_id=call-17|http.request.method=POST|http.response.status_code=500|status=internal",
	}
	if diff := cmp.Diff(want, c.Transcript()); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if line := lineAbout(t, s, "call failed"); !strings.Contains(s.Logs.String(), "oauth_clients") ||
		line["request_id"] != "call-17" || line["trace_id"] != hex.EncodeToString(c.Spans[0].GetTraceId()) {
		t.Errorf("the log does not tell the cause and the trace: %v", line)
	}
}

// lineAbout is the first line of the log with a message.
func lineAbout(t *testing.T, s *servertest.Server, message string) map[string]any {
	t.Helper()
	for text := range strings.Lines(s.Logs.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if line["msg"] == message {
			return line
		}
	}
	t.Fatalf("the log has no %q:\n%s", message, s.Logs)
	return nil
}

// Whoever can call must not choose trace ids, nor what is sampled.
func TestTraces_OfTheCaller(t *testing.T) {
	for name, trusted := range map[string]bool{"not trusted": false, "trusted": true} {
		t.Run(name, func(t *testing.T) {
			c := servertest.StartCollector(t)
			s := servertest.Start(t, func(config *server.Config) { config.TrustRemoteSpans = trusted })
			s.Get(t, "/livez", traced()...)
			s.Get(t, "/readyz", "Traceparent", "00-not-a-trace-01")
			s.Stop(t)
			span := c.Span(t, "GET /livez")
			continued := hex.EncodeToString(span.GetTraceId()) == remoteTrace && hex.EncodeToString(span.GetParentSpanId()) == remoteSpan
			var links []string
			for _, link := range span.GetLinks() {
				links = append(links, hex.EncodeToString(link.GetTraceId())+" "+hex.EncodeToString(link.GetSpanId())+" "+link.GetTraceState())
			}
			wantLinks := []string{remoteTrace + " " + remoteSpan + " "}
			if trusted {
				wantLinks = nil
			}
			if continued != trusted || !slices.Equal(links, wantLinks) {
				t.Errorf("the trace is continued: %v; links %q, want %q", continued, links, wantLinks)
			}
			if other := c.Span(t, "GET /readyz"); len(other.GetParentSpanId()) > 0 || len(other.GetLinks()) > 0 {
				t.Errorf("what is no trace is taken for one: %v", other)
			}
		})
	}
}

func TestTraces_InTheLog(t *testing.T) {
	c := servertest.StartCollector(t)
	s := servertest.Start(t)
	s.CallREST(t, http.MethodPost, servertest.ClientsPath+"ListClients", "bad", "{}", traced()...)
	s.Stop(t)
	span := c.Span(t, "xeonr.auth.api.v1.ClientsService/ListClients")
	line := lineAbout(t, s, "denied")
	want := map[string]any{
		"request_id": "call-17", "trace_id": hex.EncodeToString(span.GetTraceId()), "span_id": hex.EncodeToString(span.GetSpanId()),
	}
	for name := range want {
		if line[name] != want[name] {
			t.Errorf("got %s %v, want %v", name, line[name], want[name])
		}
	}
}

func TestExport_Metrics(t *testing.T) {
	c := servertest.StartCollector(t)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	t.Setenv("OTEL_SERVICE_NAME", "registry")
	s := servertest.Start(t, func(config *server.Config) { config.Version = "1.2.3" })
	s.Create(t, servertest.Request())
	s.Stop(t)
	for _, want := range []string{"clientsd_rotations_total", "clientsd_call_duration_seconds", "go_goroutines", "rpc.server.call.duration"} {
		if !slices.Contains(c.Metrics, want) {
			t.Errorf("there is no %s among %q", want, c.Metrics)
		}
	}
	for name, want := range map[string]string{"service.name": "registry", "service.version": "1.2.3", "deployment.environment.name": "test"} {
		if got := c.Resource[name]; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if err := uuid.Validate(c.Resource["service.instance.id"]); err != nil {
		t.Errorf("service.instance.id: %v", err)
	}
}

func TestExport_OnlyWhatTheEnvironmentAsksFor(t *testing.T) {
	for name, tt := range map[string]struct {
		variables      map[string]string
		spans, metrics bool
	}{
		"an endpoint for all":              {nil, true, true},
		"no traces":                        {map[string]string{"OTEL_TRACES_EXPORTER": "none"}, false, true},
		"no metrics":                       {map[string]string{"OTEL_METRICS_EXPORTER": "none"}, true, false},
		"the SDK is disabled":              {map[string]string{"OTEL_SDK_DISABLED": "true"}, false, false},
		"no endpoint":                      {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, false, false},
		"no endpoint, but told not to try": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": "none"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := servertest.StartCollector(t)
			for variable, value := range tt.variables {
				t.Setenv(variable, value)
			}
			s := servertest.Start(t)
			s.Get(t, "/livez")
			s.Stop(t)
			if got := len(c.Spans) > 0; got != tt.spans {
				t.Errorf("spans are exported: %v", got)
			}
			if got := len(c.Metrics) > 0; got != tt.metrics {
				t.Errorf("metrics are exported: %v", got)
			}
		})
	}
}

func TestExport_UnknownExporter(t *testing.T) {
	for variable, want := range map[string]string{
		"OTEL_TRACES_EXPORTER":  "OTEL_TRACES_EXPORTER: unknown exporter or metrics producer",
		"OTEL_METRICS_EXPORTER": "OTEL_METRICS_EXPORTER: unknown exporter or metrics producer",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, "carrier-pigeon")
			dir := t.TempDir()
			_, err := server.New(t.Context(), server.Config{Addr: "127.0.0.1:0", Storage: storage.Config{Dir: dir, Create: true}})
			if got := fmt.Sprint(err); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
				t.Errorf("the folder has %v", files)
			}
		})
	}
}

func TestExport_CollectorIsAway(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "50") // milliseconds
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	s.WantOnlySecret(t, made.GetClientId(), 1, made.GetClientSecret())
	s.Stop(t)
	if !strings.Contains(s.Logs.String(), `"msg":"telemetry is not delivered"`) {
		t.Errorf("the log does not tell:\n%s", s.Logs)
	}
}
