package telemetry

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// codeOK is the code of a call that went well; the others are Connect's.
const codeOK = "ok"

// metrics are those of calls. Labels hold the server's own words only: see [Route].
type metrics struct {
	succeeded     map[Route]prometheus.Observer // the series of durations with codeOK
	inFlight      prometheus.Gauge
	durations     *prometheus.HistogramVec
	rotations     *prometheus.CounterVec
	released      *prometheus.CounterVec
	verifications *prometheus.CounterVec
	expired       *prometheus.CounterVec
	expiredLag    *prometheus.GaugeVec
}

func newMetrics(registry *prometheus.Registry, version string) metrics {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "clientsd_build_info", Help: "1, with the version of the binary and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m := metrics{
		succeeded: make(map[Route]prometheus.Observer),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "clientsd_calls_in_flight", Help: "Requests that are being answered.",
		}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "clientsd_call_duration_seconds", Help: "Time from a request's header to the end of its answer, by what came of it.",
			// From a read without contention to the default deadline.
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"api", "method", "code"}),
		rotations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clientsd_rotations_total", Help: "Calls to rotate a secret, by what came of them. A repetition under an idempotency key counts too.",
		}, []string{"api", "outcome"}),
		released: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clientsd_secrets_released_total", Help: "Answers that carried a secret.",
		}, []string{"api", "method"}),
		verifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clientsd_verifications_total", Help: "Secrets that were looked at, by which of the client's they matched.",
		}, []string{"match"}),
		expired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clientsd_expired_rows_deleted_total", Help: "Rows that were deleted in the background because they had expired.",
		}, []string{"table"}),
		expiredLag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "clientsd_expired_rows_lag_seconds", Help: "For how long the oldest row that was to be deleted had been expired when it was found. 0: none was found.",
		}, []string{"table"}),
	}
	registry.MustRegister(
		build, m.inFlight, m.durations, m.rotations, m.released, m.verifications, m.expired, m.expiredLag,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Route is one kind of request, under the name by which it is counted. Its values
// are the server's own words, never text that a caller chose.
type Route struct {
	// API is the name of the API, or "none".
	API string
	// Method is the procedure without its leading slash or, with a leading slash,
	// the pattern of a path.
	Method string
	// Rotates marks the rotation of a secret.
	Rotates bool
}

// Register starts the series of a route at zero, before its first call. It must
// not be called once requests are served.
func (t *Telemetry) Register(r Route) {
	t.metrics.succeeded[r] = t.metrics.durations.WithLabelValues(r.API, r.Method, codeOK)
	if r.Rotates {
		t.metrics.rotations.WithLabelValues(r.API, codeOK)
	}
}

// Verifications counts the secrets with one result of the comparison.
func (t *Telemetry) Verifications(match string) prometheus.Counter {
	return t.metrics.verifications.WithLabelValues(match)
}

// RecordExpired counts the rows of a table that were deleted because they had
// expired. The lag is for how long the oldest one had been.
func (t *Telemetry) RecordExpired(table string, deleted int, lag time.Duration) {
	t.metrics.expired.WithLabelValues(table).Add(float64(deleted))
	t.metrics.expiredLag.WithLabelValues(table).Set(lag.Seconds())
}

// count counts a call. For a call that went well it need not search the series.
func (m *metrics) count(call Call, took time.Duration) {
	duration, known := m.succeeded[call.Route]
	if !known || call.Code != codeOK {
		duration = m.durations.WithLabelValues(call.Route.API, call.Route.Method, call.Code)
	}
	duration.Observe(took.Seconds())
	if call.Route.Rotates {
		m.rotations.WithLabelValues(call.Route.API, call.Code).Inc()
	}
	if call.SecretReleased {
		m.released.WithLabelValues(call.Route.API, call.Route.Method).Inc()
	}
}
