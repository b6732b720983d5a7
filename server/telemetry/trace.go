package telemetry

import (
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/otelconnect"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Interceptors trace and measure RPCs as OpenTelemetry names them: each span is a
// child of the one of its request, without what was rejected before the message
// was read. None if nothing is exported.
//
// They belong around the error table: what an RPC answers may be shown, the cause
// behind it may not.
func (t *Telemetry) Interceptors() ([]connect.Interceptor, error) {
	if t.spans == nil && t.meters == nil {
		return nil, nil
	}
	options := []otelconnect.Option{otelconnect.WithoutTracing(), otelconnect.WithoutMetrics()}
	if t.spans != nil {
		options = append(options, otelconnect.WithTracerProvider(t.spans))
	}
	if t.meters != nil {
		options = append(options, otelconnect.WithMeterProvider(t.meters))
	}
	interceptor, err := otelconnect.NewInterceptor(options...)
	return []connect.Interceptor{interceptor}, err
}

// startSpan begins the span of a request; without anybody to collect it, it is
// nil. The trace that the request names is the parent only if it is trusted.
func (t *Telemetry) startSpan(r *http.Request) (*http.Request, trace.Span) {
	if t.tracer == nil {
		return r, nil
	}
	ctx := r.Context()
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	remote := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header)))
	switch {
	case !remote.IsValid():
	case t.config.TrustRemoteSpans:
		ctx = trace.ContextWithRemoteSpanContext(ctx, remote)
	default: // tracestate is free text of the caller's
		options = append(options, trace.WithLinks(trace.Link{SpanContext: remote.WithTraceState(trace.TraceState{})}))
	}
	ctx, span := t.tracer.Start(ctx, "request", options...) //nolint:spancheck // endSpan ends it
	return r.WithContext(ctx), span                         //nolint:spancheck // endSpan ends it
}

// endSpan says what the request was. Neither its path, nor a header but its id,
// nor anything of its body goes into the span.
func endSpan(span trace.Span, r *http.Request, call Call, resp *answer) {
	if span == nil {
		return
	}
	span.SetName(call.Route.Method)
	if strings.HasPrefix(call.Route.Method, "/") {
		span.SetName(methodOf(r) + " " + call.Route.Method)
		span.SetAttributes(semconv.HTTPRoute(call.Route.Method))
	}
	span.SetAttributes(
		semconv.HTTPRequestMethodKey.String(methodOf(r)),
		semconv.HTTPResponseStatusCode(max(resp.status, http.StatusOK)),
		attribute.String("clientsd.api", call.Route.API),
		attribute.String("clientsd.code", call.Code),
		attribute.String("clientsd.request_id", call.ID),
	)
	if resp.status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, call.Code)
	}
	span.End()
}

// methodOf keeps to the methods of RFC 9110 and RFC 5789: a caller can make up
// others.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	default:
		return "_OTHER"
	}
}
