package database_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"clientsd/ent"
	"clientsd/server/issuer"
	"clientsd/server/secret"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/tx"
)

// concurrently runs body so many times concurrently and returns what has gone wrong.
func concurrently(n int, body func(i int) error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = body(i) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Each of them sees that there is no row yet, and makes one.
func TestSerialise_ReadThenWrite(t *testing.T) {
	t.Parallel()
	const transactions = 4
	db := openPostgres(t, storagetest.Postgres(t))
	execute(t, db.Write, "CREATE TABLE things (n integer)")
	for name, tt := range map[string]struct {
		transact tx.Transactor
		want     string
	}{
		"in one that serialises": {db.Serialise, "1"},
		"in one that does not":   {db.Transact, "4"}, // or this test would prove nothing
	} {
		t.Run(name, func(t *testing.T) {
			execute(t, db.Write, "DELETE FROM things")
			var read sync.WaitGroup
			read.Add(transactions)
			err := concurrently(transactions, func(int) error {
				once := sync.OnceFunc(func() { read.Done(); read.Wait() })
				return tt.transact(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
					exists, err := isThere(ctx, tx)
					once()
					if err != nil || exists {
						return err
					}
					_, err = tx.ExecContext(ctx, "INSERT INTO things VALUES (1)")
					return err
				})
			})
			if got := text(t, db.Read, "SELECT count(*)::text FROM things"); got != tt.want || err != nil {
				t.Errorf("got %s rows, want %s; error %v", got, tt.want, err)
			}
		})
	}
}

func isThere(ctx context.Context, tx *ent.Tx) (bool, error) {
	rows, err := tx.QueryContext(ctx, "SELECT n FROM things")
	if err != nil {
		return false, err
	}
	defer rows.Close()
	found := rows.Next()
	return found, rows.Err()
}

func TestSerialise_ReplicasShareOneSigningKey(t *testing.T) {
	t.Parallel()
	const replicas = 8
	db := migratedPostgres(t)
	keyset, err := secret.CreateKeyset(filepath.Join(t.TempDir(), "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ready sync.WaitGroup // to store the key that each has made
	ready.Add(replicas)
	transact := func(ctx context.Context, body tx.Body) error {
		ready.Done()
		ready.Wait()
		return db.Serialise(ctx, body)
	}
	issuers := make([]*issuer.Issuer, replicas)
	err = concurrently(replicas, func(i int) (err error) {
		issuers[i], err = issuer.OpenOrCreate(t.Context(), issuer.Database{Read: db.Read, Transact: transact}, keyset)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := db.Read.SigningKey.Query().Only(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range issuers {
		if made.Name() != key.Issuer || made.Key(t.Context(), key.ID) == nil {
			t.Errorf("one replica has issuer %s, want %s", made.Name(), key.Issuer)
		}
	}
}
