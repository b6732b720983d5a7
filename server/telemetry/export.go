package telemetry

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"
	prometheusbridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// undelivered is the line of the log about spans and metrics that got lost.
const undelivered = "telemetry is not delivered"

// scope names what makes the spans of requests.
const scope = "clientsd"

// export makes the exporters that were asked for.
func (t *Telemetry) export(ctx context.Context) error {
	spans, metrics := asksFor("TRACES"), asksFor("METRICS")
	if !spans && !metrics {
		return nil
	}
	// The SDK reports what fails in the background here and nowhere else.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { t.config.Log.Warn(undelivered, "error", err) }))
	about, err := t.describe(ctx)
	if err != nil {
		return fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	if spans {
		if err := t.exportSpans(ctx, about); err != nil {
			return fmt.Errorf("OTEL_TRACES_EXPORTER: %w", err)
		}
	}
	if metrics {
		if err := t.exportMetrics(ctx, about); err != nil {
			return fmt.Errorf("OTEL_METRICS_EXPORTER: %w", err)
		}
	}
	return nil
}

// asksFor says whether the environment asks to export a signal. The SDK's own
// default would be to try a collector on this machine.
func asksFor(signal string) bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	for _, name := range []string{"OTEL_" + signal + "_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// describe tells replicas apart. The environment may say otherwise.
func (t *Telemetry) describe(ctx context.Context) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			semconv.ServiceName("clientsd"),
			semconv.ServiceVersion(t.config.Version),
			semconv.ServiceInstanceID(uuid.NewString()),
		),
		resource.WithFromEnv(),
	)
}

func (t *Telemetry) exportSpans(ctx context.Context, about *resource.Resource) error {
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil || autoexport.IsNoneSpanExporter(exporter) {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.spans, t.tracer = provider, provider.Tracer(scope)
	t.flush = append(t.flush, provider.Shutdown)
	return nil
}

// exportMetrics sends what Prometheus would see, and what otelconnect measures.
func (t *Telemetry) exportMetrics(ctx context.Context, about *resource.Resource) error {
	autoexport.WithFallbackMetricProducer(func(context.Context) (sdkmetric.Producer, error) {
		return prometheusbridge.NewMetricProducer(prometheusbridge.WithGatherer(t.registry)), nil
	})
	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil || autoexport.IsNoneMetricReader(reader) {
		return err
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(about))
	t.meters = provider
	t.flush = append(t.flush, provider.Shutdown)
	return nil
}
