package retention_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clientsd/ent"
	"clientsd/server/retention"
	"clientsd/server/tx"
)

var errBroken = errors.New("the disk is full")

// A table has expired rows, and is slow and broken as a test wants.
type table struct {
	name         string
	rows         int
	slow         time.Duration
	find, delete error

	batches []int
	looks   int
}

func (t *table) rule() retention.Rule {
	return retention.Rule{Table: t.name, Find: func(_ context.Context, limit int) (retention.Batch, error) {
		t.looks++
		n := min(t.rows, limit)
		if t.find != nil || n == 0 {
			return retention.Batch{}, t.find
		}
		return retention.Batch{More: n == limit, Lag: time.Duration(t.rows), Delete: func(context.Context, *ent.Tx) (int, error) {
			time.Sleep(t.slow)
			if t.delete != nil {
				return 0, t.delete
			}
			t.rows -= n
			t.batches = append(t.batches, n)
			return n, nil
		}}, nil
	}}
}

// A world is a Purger and what it has recorded.
type world struct {
	retention.Purger

	records []string
	log     strings.Builder
}

func newWorld(transact tx.Transactor, tables ...*table) *world {
	w := &world{}
	for _, t := range tables {
		w.Rules = append(w.Rules, t.rule())
	}
	w.Transact, w.Log = transact, slog.New(slog.NewTextHandler(&w.log, nil))
	w.Record = func(table string, deleted int, lag time.Duration) {
		w.records = append(w.records, fmt.Sprint(table, " ", deleted, " ", int(lag)))
	}
	return w
}

// run lets the purger run for so long.
func (w *world) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	w.Run(ctx)
}

func transact(ctx context.Context, body tx.Body) error { return body(ctx, nil) }

func TestRun_DeletesInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, empty := &table{name: "first", rows: 1700}, &table{name: "second", rows: 500}, &table{name: "empty"}
		w := newWorld(transact, first, second, empty)
		w.run(t, 30*time.Second)
		if got, want := fmt.Sprint(first.batches, second.batches, empty.batches), "[500 500 500 200] [500] []"; got != want {
			t.Errorf("got batches %s, want %s", got, want)
		}
		want := "first 500 1700, second 500 500, empty 0 0, first 500 1200, second 0 0, empty 0 0, " +
			"first 500 700, second 0 0, empty 0 0, first 200 200, second 0 0, empty 0 0"
		if got := strings.Join(w.records, ", "); got != want {
			t.Errorf("recorded\n%s, want\n%s", got, want)
		}
		if w.log.Len() > 0 {
			t.Errorf("logged %s", w.log.String())
		}
	})
}

func TestRun_LooksOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := &table{name: "rows"}
		w := newWorld(func(context.Context, tx.Body) error {
			t.Error("it began a transaction")
			return nil
		}, rows)
		w.run(t, 10*time.Minute-time.Second)
		if rows.looks != 10 {
			t.Errorf("looked %d times in ten minutes", rows.looks)
		}
	})
}

// Writers must get their turn: a server whose disk is slow deletes less.
func TestRun_PausesFourTimesAsLongAsItWorks(t *testing.T) {
	for name, tt := range map[string]struct {
		slow    time.Duration
		batches int
	}{
		"quick batches":  {time.Microsecond, 100}, // 10 ms apart
		"slow batches":   {100 * time.Millisecond, 2},
		"a slower batch": {400 * time.Millisecond, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rows := &table{name: "rows", rows: 1_000_000, slow: tt.slow}
				newWorld(transact, rows).run(t, time.Second-time.Nanosecond)
				if len(rows.batches) != tt.batches {
					t.Errorf("deleted %d batches in a second, want %d", len(rows.batches), tt.batches)
				}
			})
		})
	}
}

func TestRun_FailureIsLoggedAndTriedAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		broken *table
		want   string
	}{
		"the look":     {&table{name: "broken", rows: 700, find: errBroken}, `table=broken error="find: the disk is full"`},
		"the deletion": {&table{name: "broken", rows: 700, delete: errBroken}, `table=broken error="delete: the disk is full"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sound := &table{name: "sound", rows: 700}
				w := newWorld(transact, tt.broken, sound)
				w.run(t, time.Minute-time.Second)
				if lines := strings.Count(w.log.String(), `level=WARN msg="expired rows were not deleted" `+tt.want); lines != 2 {
					t.Errorf("got %d lines in a minute, one for each batch of the other table: %s", lines, w.log.String())
				}
				if fmt.Sprint(sound.batches) != "[500 200]" {
					t.Errorf("of the other table: deleted %v", sound.batches)
				}
				tt.broken.find, tt.broken.delete = nil, nil
				w.run(t, 30*time.Second)
				if fmt.Sprint(tt.broken.batches) != "[500 200]" {
					t.Errorf("after that: deleted %v", tt.broken.batches)
				}
			})
		})
	}
}

func TestRun_FailureAloneWaitsForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := &table{name: "broken", rows: 700, delete: errBroken}
		newWorld(transact, broken).run(t, 2*time.Minute-time.Second)
		if broken.looks != 2 {
			t.Errorf("tried %d times in two minutes", broken.looks)
		}
	})
}

func TestRun_AnotherServerIsAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := &table{name: "rows", rows: 700}
		w := newWorld(func(context.Context, tx.Body) error { return nil }, rows)
		w.run(t, 2*time.Minute-time.Second)
		if rows.looks != 2 || fmt.Sprint(w.records) != "[rows 0 700 rows 0 700]" || w.log.Len() > 0 {
			t.Errorf("looked %d times, recorded %v, logged %s", rows.looks, w.records, w.log.String())
		}
	})
}

func TestRun_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		rows := &table{name: "rows", rows: 1_000_000}
		w := newWorld(func(ctx context.Context, _ tx.Body) error {
			cancel()
			return ctx.Err()
		}, rows)
		began := time.Now()
		w.Run(ctx)
		if took := time.Since(began); took > 0 || rows.looks != 1 || w.log.Len() > 0 {
			t.Errorf("took %v, looked %d times, logged %s", took, rows.looks, w.log.String())
		}
	})
}

func TestRun_BatchThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(ctx context.Context, _ tx.Body) error {
			<-ctx.Done()
			return ctx.Err()
		}, &table{name: "rows", rows: 1})
		w.run(t, time.Minute)
		if !strings.Contains(w.log.String(), "deadline exceeded") {
			t.Errorf("logged %s", w.log.String())
		}
	})
}
