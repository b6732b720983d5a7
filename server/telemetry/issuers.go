package telemetry

import "github.com/prometheus/client_golang/prometheus"

// An Issuer is what there is to watch about one whose tokens are accepted.
type Issuer struct {
	// Name is its URL, as it is configured.
	Name string
	// Keys returns how many keys tokens can be verified with now.
	Keys func() int
	// Failures returns how many fetches of its keys have failed.
	Failures func() uint64
}

// WatchIssuer adds the metrics of an issuer. It belongs before Run, once for each.
func (t *Telemetry) WatchIssuer(issuer Issuer) {
	labels := prometheus.Labels{"issuer": issuer.Name}
	t.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "clientsd_issuer_keys", ConstLabels: labels,
			Help: "Keys of a token issuer that tokens can be verified with. 0: none of its tokens is accepted.",
		}, func() float64 { return float64(issuer.Keys()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "clientsd_issuer_fetch_failures_total", ConstLabels: labels,
			Help: "Times that the keys of a token issuer could not be fetched, or that none of them could be used.",
		}, func() float64 { return float64(issuer.Failures()) }),
	)
}
