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
	// lookEvery is how long Totals are remembered, at least.
	lookEvery = time.Minute
	// lookShare bounds the share of the time that finding them may take: the database
	// reads every client for it.
	lookShare = 100
)

// A Database is what there is to watch about one.
type Database struct {
	// Pools are its pools of connections, by name.
	Pools map[string]*sql.DB
	// WALFile is the write-ahead log of SQLite. Empty: there is none.
	WALFile string
	// Totals counts what there is.
	Totals func(context.Context) (Totals, error)
	// MaxClients bounds the clients of an organisation. 0: there is no bound.
	MaxClients int
	// Clock is the time.
	Clock func() time.Time
}

// RegisterGauges exports the metrics of a database: its pools, the size of its
// write-ahead log, how much there is and how much there may be. It must be called before Run,
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
	limit := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "clientsd_max_clients_per_organisation", Help: "Most clients that an organisation may have; 0: no limit.",
	})
	limit.Set(float64(db.MaxClients))
	t.survey = newSurvey(db.Totals, db.Clock)
	t.registry.MustRegister(limit, t.survey)
}

// sizeOf returns 0 for a file that is not there: SQLite removes an empty log.
func sizeOf(file string) float64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return float64(info.Size())
}

// Totals counts what the database holds, over all organisations.
type Totals struct {
	Clients, LargestOrganisation, ConfigBytes int64

	OldestSecret time.Time // zero: there is none
}

// A survey exports what is found only by reading every client. It has no values until
// that was done.
type survey struct {
	find   func(context.Context) (Totals, error)
	clock  func() time.Time
	totals atomic.Pointer[Totals] // nil: not known yet

	clients, largest, config, age *prometheus.Desc
}

func newSurvey(find func(context.Context) (Totals, error), clock func() time.Time) *survey {
	describe := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &survey{
		find: find, clock: clock,
		clients: describe("clientsd_clients", "Clients of all organisations, as counted in the last minutes."),
		largest: describe("clientsd_largest_organisation_clients", "Clients of the organisation that has the most, as counted in the last minutes."),
		config:  describe("clientsd_json_config_bytes", "Size of the JSON in the bindings of all clients, as measured in the last minutes."),
		age:     describe("clientsd_oldest_secret_age_seconds", "Age of the oldest current secret, as found in the last minutes."),
	}
}

// Describe implements prometheus.Collector.
func (s *survey) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{s.clients, s.largest, s.config, s.age} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector. It never asks the database: a scrape
// takes no longer for it.
func (s *survey) Collect(values chan<- prometheus.Metric) {
	totals := s.totals.Load()
	if totals == nil {
		return
	}
	gauge := func(description *prometheus.Desc, value float64) {
		values <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value)
	}
	gauge(s.clients, float64(totals.Clients))
	gauge(s.largest, float64(totals.LargestOrganisation))
	gauge(s.config, float64(totals.ConfigBytes))
	if !totals.OldestSecret.IsZero() {
		gauge(s.age, s.clock().Sub(totals.OldestSecret).Seconds())
	}
}

// run reads the clients again and again until ctx ends.
func (s *survey) run(ctx context.Context, log *slog.Logger) {
	for ctx.Err() == nil {
		begun := time.Now()
		totals, err := s.find(ctx)
		if err == nil {
			s.totals.Store(&totals)
		} else if ctx.Err() == nil {
			log.WarnContext(ctx, "the number of clients and the age of the oldest secret are not known", "error", err)
		}
		select {
		case <-time.After(max(lookEvery, lookShare*time.Since(begun))):
		case <-ctx.Done():
		}
	}
}
