package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// WatchCertificate adds the metric of the certificate that callers see. It must be
// called before Run, once.
func (t *Telemetry) WatchCertificate(expiry func() time.Time) {
	t.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "clientsd_tls_certificate_expiry_timestamp_seconds",
		Help: "When the certificate of the service expires, in seconds since 1970.",
	}, func() float64 { return float64(expiry().Unix()) }))
}
