package telemetry

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const (
	// lookEvery is how long the oldest secret is remembered, at least.
	lookEvery = time.Minute
	// lookShare bounds the share of the time that looking for it may take: to find
	// it the database reads every client.
	lookShare = 100
)

// A Database is what there is to watch about one.
type Database struct {
	// Pools are its pools of connections, by name.
	Pools map[string]*sql.DB
	// WALFile is the write-ahead log of SQLite. Empty: there is none.
	WALFile string
	// OldestSecret is when the oldest current secret was made; zero: there is none.
	OldestSecret func(context.Context) (time.Time, error)
	// Clock is the time.
	Clock func() time.Time
}

// RegisterGauges exports the metrics of a database: its pools, the size of its
// write-ahead log and the age of the oldest secret. It must be called before Run,
// once.
func (t *Telemetry) RegisterGauges(db Database) {
	for name, pool := range db.Pools {
		t.registry.MustRegister(collectors.NewDBStatsCollector(pool, name))
	}
	if db.WALFile != "" {
		t.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "clientsd_sqlite_wal_bytes", Help: "Size of the write-ahead log of SQLite.",
		}, func() float64 { return sizeOf(db.WALFile) }))
	}
	t.oldest = &oldestSecret{find: db.OldestSecret, clock: db.Clock, age: prometheus.NewDesc(
		"clientsd_oldest_secret_age_seconds", "Age of the oldest current secret, as found in the last minutes.", nil, nil)}
	t.registry.MustRegister(t.oldest)
}

// sizeOf returns 0 for a file that is not there: SQLite removes an empty log.
func sizeOf(file string) float64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return float64(info.Size())
}

// oldestSecret is a metric with a value only while there is a secret.
type oldestSecret struct {
	find   func(context.Context) (time.Time, error)
	clock  func() time.Time
	age    *prometheus.Desc
	madeAt atomic.Pointer[time.Time] // nil: not known yet
}

// Describe implements prometheus.Collector.
func (o *oldestSecret) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- o.age }

// Collect implements prometheus.Collector. It never asks the database: a scrape
// takes no longer for it.
func (o *oldestSecret) Collect(values chan<- prometheus.Metric) {
	if madeAt := o.madeAt.Load(); madeAt != nil && !madeAt.IsZero() {
		values <- prometheus.MustNewConstMetric(o.age, prometheus.GaugeValue, o.clock().Sub(*madeAt).Seconds())
	}
}

// run looks for the oldest secret until ctx ends.
func (o *oldestSecret) run(ctx context.Context, log *slog.Logger) {
	for ctx.Err() == nil {
		begun := time.Now()
		madeAt, err := o.find(ctx)
		if err == nil {
			o.madeAt.Store(&madeAt)
		} else if ctx.Err() == nil {
			log.WarnContext(ctx, "the age of the oldest secret is not known", "error", err)
		}
		select {
		case <-time.After(max(lookEvery, lookShare*time.Since(begun))):
		case <-ctx.Done():
		}
	}
}
