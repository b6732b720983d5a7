package servertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	metricscollector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracecollector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A Collector receives what servers export over OTLP. Read its fields when the
// server has stopped.
type Collector struct {
	Raw      bytes.Buffer // every request as it came
	Resource map[string]string
	Spans    []*trace.Span
	Metrics  []string // their names

	mu sync.Mutex
}

// StartCollector starts a collector until the test ends. Servers that the test
// starts afterwards export to it: it sets the standard variable.
func StartCollector(t *testing.T) *Collector {
	t.Helper()
	c := &Collector{Resource: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", receive(t, c, c.addSpans))
	mux.HandleFunc("POST /v1/metrics", receive(t, c, c.addMetrics))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	return c
}

func receive[T any, M interface {
	*T
	proto.Message
}](t *testing.T, c *Collector, add func(M)) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		message := M(new(T))
		if err = errors.Join(err, proto.Unmarshal(body, message)); err != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.Raw.Write(body)
		add(message)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}
}

func (c *Collector) addSpans(request *tracecollector.ExportTraceServiceRequest) {
	for _, of := range request.GetResourceSpans() {
		c.addResource(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeSpans() {
			c.Spans = append(c.Spans, scope.GetSpans()...)
		}
	}
}

func (c *Collector) addMetrics(request *metricscollector.ExportMetricsServiceRequest) {
	for _, of := range request.GetResourceMetrics() {
		c.addResource(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				c.Metrics = append(c.Metrics, metric.GetName())
			}
		}
	}
}

func (c *Collector) addResource(attributes []*common.KeyValue) {
	for _, attribute := range attributes {
		c.Resource[attribute.GetKey()] = text(attribute.GetValue())
	}
}

func text(value *common.AnyValue) string {
	switch value := value.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return value.StringValue
	case *common.AnyValue_IntValue:
		return strconv.FormatInt(value.IntValue, 10)
	default:
		return fmt.Sprintf("%T", value)
	}
}

// Transcript describes each span in a line, sorted: its name, the name of its
// parent, its attributes, its status and its events.
func (c *Collector) Transcript() []string {
	names := map[string]string{}
	for _, span := range c.Spans {
		names[string(span.GetSpanId())] = span.GetName()
	}
	transcript := make([]string, 0, len(c.Spans))
	for _, span := range c.Spans {
		words := []string{span.GetName(), names[string(span.GetParentSpanId())]}
		for _, attribute := range span.GetAttributes() {
			words = append(words, attribute.GetKey()+"="+text(attribute.GetValue()))
		}
		slices.Sort(words[2:])
		if status := span.GetStatus(); status.GetCode() != trace.Status_STATUS_CODE_UNSET {
			words = append(words, "status="+status.GetMessage())
		}
		for _, event := range span.GetEvents() {
			words = append(words, "event="+event.GetName())
		}
		transcript = append(transcript, strings.Join(words, "|"))
	}
	slices.Sort(transcript)
	return transcript
}

// Span returns the only span with this name.
func (c *Collector) Span(t *testing.T, name string) *trace.Span {
	t.Helper()
	var found []*trace.Span
	for _, span := range c.Spans {
		if span.GetName() == name {
			found = append(found, span)
		}
	}
	if len(found) != 1 {
		t.Fatalf("got %d spans %q of %d", len(found), name, len(c.Spans))
	}
	return found[0]
}
