package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// flushTimeout bounds how long Close waits for a collector.
const flushTimeout = 5 * time.Second

// Config says which server reports, and whom it trusts.
type Config struct {
	// Version is that of the binary.
	Version string
	// TrustRemoteSpans continues the trace that a request names in traceparent.
	// Otherwise our own trace links to it: a caller cannot choose
	// trace ids then, nor what is sampled.
	TrustRemoteSpans bool
	// Log hears of what could not be delivered. Required.
	Log *slog.Logger
}

// Telemetry is what one server tells about itself. It is safe for concurrent
// use.
type Telemetry struct {
	config   Config
	registry *prometheus.Registry
	metrics  metrics
	survey   *survey
	endpoint *endpoint // nil: nobody scrapes

	spans  trace.TracerProvider // nil: nobody collects them
	tracer trace.Tracer
	meters metric.MeterProvider // nil: nobody collects them
	flush  []func(context.Context) error
}

// New makes the metrics, and the exporters that the OTEL_* variables ask for:
// without them, or with OTEL_SDK_DISABLED=true, nothing leaves the process. The
// SDK reads those variables itself; it connects in the background, so that a
// collector that is away keeps no server from starting.
//
// Errors: a variable asks for what there is not, such as an unknown exporter.
func New(ctx context.Context, config Config) (*Telemetry, error) {
	t := &Telemetry{config: config, registry: prometheus.NewRegistry()}
	t.metrics = newMetrics(t.registry, config.Version)
	if err := t.export(ctx); err != nil {
		return nil, errors.Join(err, t.Close(ctx))
	}
	return t, nil
}

// Run answers scrapes and keeps watch until ctx ends.
func (t *Telemetry) Run(ctx context.Context) {
	var running sync.WaitGroup
	if t.endpoint != nil {
		running.Go(func() { t.endpoint.run(ctx, t.config.Log) })
	}
	if t.survey != nil && (t.endpoint != nil || t.meters != nil) {
		running.Go(func() { t.survey.run(ctx, t.config.Log) })
	}
	running.Wait()
}

// Close delivers what was not delivered yet, for five seconds at most, and frees
// the address. What cannot be delivered is logged: it is no fault of the
// service.
func (t *Telemetry) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	for _, flush := range t.flush {
		if err := flush(ctx); err != nil {
			t.config.Log.WarnContext(ctx, undelivered, "error", err)
		}
	}
	if t.endpoint == nil {
		return nil
	}
	return t.endpoint.close()
}
