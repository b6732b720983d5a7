package server_test

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

// A collector receives what servers export over OTLP.
type collector struct {
	mu       sync.Mutex
	raw      bytes.Buffer // every request as it came
	resource map[string]string
	spans    []*trace.Span
	metrics  []string
}

// startCollector tells the servers of this test where it is, by the standard
// variable.
func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{resource: map[string]string{}}
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
}](t *testing.T, c *collector, add func(M)) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		message := M(new(T))
		if err = errors.Join(err, proto.Unmarshal(body, message)); err != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(body)
		add(message)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}
}

func (c *collector) addSpans(request *tracecollector.ExportTraceServiceRequest) {
	for _, of := range request.GetResourceSpans() {
		c.addResource(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
}

func (c *collector) addMetrics(request *metricscollector.ExportMetricsServiceRequest) {
	for _, of := range request.GetResourceMetrics() {
		c.addResource(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				c.metrics = append(c.metrics, metric.GetName())
			}
		}
	}
}

func (c *collector) addResource(attributes []*common.KeyValue) {
	for _, attribute := range attributes {
		c.resource[attribute.GetKey()] = text(attribute.GetValue())
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

// told are the spans in words, in order of their names: the name of a span and of
// its parent, what it says of itself, and all that there is beside.
func (c *collector) told() []string {
	names := map[string]string{}
	for _, span := range c.spans {
		names[string(span.GetSpanId())] = span.GetName()
	}
	var told []string
	for _, span := range c.spans {
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
		told = append(told, strings.Join(words, "|"))
	}
	slices.Sort(told)
	return told
}

// of is the one span with a name.
func (c *collector) of(t *testing.T, name string) *trace.Span {
	t.Helper()
	var found []*trace.Span
	for _, span := range c.spans {
		if span.GetName() == name {
			found = append(found, span)
		}
	}
	if len(found) != 1 {
		t.Fatalf("got %d spans %q of %d", len(found), name, len(c.spans))
	}
	return found[0]
}
