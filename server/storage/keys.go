package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"clientsd/ent"
	"clientsd/ent/keysetkey"
	"clientsd/ent/oauthclient"
	"clientsd/ent/signingkey"
	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/tx"
)

// sealedPage is how many clients a query of SealedRows reads.
const sealedPage = 500

// bind lets the keyset record in the database which keys are in use. It first removes
// the records of keys that the keyset lacks and that seal nothing: such a database was
// restored, or its keys were removed by hand.
func (s *Storage) bind(ctx context.Context, unused []uint32) error {
	if len(unused) > 0 {
		if err := ForgetKeys(ctx, s.DB.Transact, unused...); err != nil {
			return err
		}
	}
	s.Keyset.Bind(secret.KeysInUse{
		Record: func(ctx context.Context, id uint32) error { return recordKey(ctx, s.DB, id) },
		List:   func(ctx context.Context) ([]uint32, error) { return listKeys(ctx, s.DB.Read) },
	})
	return nil
}

// recordKey reads first, which costs less, and again if the insert fails: the answer
// to the commit may have been lost.
func recordKey(ctx context.Context, db *database.DB, id uint32) error {
	recorded := func() (bool, error) { return db.Read.KeysetKey.Query().Where(keysetkey.ID(int64(id))).Exist(ctx) }
	if found, err := recorded(); err != nil || found {
		return err
	}
	err := db.Transact(ctx, func(ctx context.Context, tx *ent.Tx) error { return insertKey(ctx, tx, id) })
	if err == nil {
		return nil
	}
	if found, readErr := recorded(); readErr == nil && found {
		return nil
	}
	return fmt.Errorf("record key in use: %w", err)
}

// insertKey does nothing if the key is there.
func insertKey(ctx context.Context, tx *ent.Tx, id uint32) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO keyset_keys (id) VALUES ($1) ON CONFLICT DO NOTHING", int64(id))
	return err
}

func listKeys(ctx context.Context, db *ent.Client) ([]uint32, error) {
	rows, err := db.KeysetKey.Query().Order(keysetkey.ByID()).IDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys in use: %w", err)
	}
	ids := make([]uint32, len(rows))
	for i, row := range rows {
		ids[i] = uint32(row) //nolint:gosec // inserted by insertKey
	}
	return ids, nil
}

// ForgetKeys removes the record that keys are in use. The caller has made sure that
// they seal nothing.
func ForgetKeys(ctx context.Context, transact tx.Transactor, ids ...uint32) error {
	rows := make([]int64, len(ids))
	for i, id := range ids {
		rows[i] = int64(id)
	}
	err := transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		_, err := tx.KeysetKey.Delete().Where(keysetkey.IDIn(rows...)).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget keys: %w", err)
	}
	return nil
}

// CheckKeyset reports whether the database has a keyset check. It changes nothing, and
// the schema may be older than ent's.
//
// Errors: ErrKeysetWrong; ErrKeysetOlder if the keyset lacks a key that has sealed
// something.
func CheckKeyset(ctx context.Context, db *ent.Client, dialectName string, keyset *secret.Keyset) (known bool, err error) {
	_, known, err = checkKeyset(ctx, db, dialectName, keyset)
	return known, err
}

// checkKeyset also returns the recorded keys that the keyset lacks and that seal
// nothing any more.
func checkKeyset(ctx context.Context, db *ent.Client, dialectName string, keyset *secret.Keyset) (unused []uint32, known bool, err error) {
	inUse, err := recordedKeys(ctx, db, dialectName)
	if err != nil {
		return nil, false, err
	}
	check, err := db.KeysetCheck.Get(ctx, checkID)
	switch {
	case ent.IsNotFound(err):
	case err != nil:
		return nil, false, err
	case errors.Is(keyset.OpenCheck(check.Sealed), secret.ErrDamaged):
		return nil, false, ErrKeysetWrong
	default:
		known = true
		if id, ok := secret.KeyOf(check.Sealed); ok {
			inUse = append(inUse, id)
		}
	}
	missing := keyset.Missing(inUse)
	if len(missing) == 0 {
		return nil, known, nil
	}
	rows, err := SealedRows(ctx, db)
	if err != nil {
		return nil, false, err
	}
	for _, id := range missing {
		switch {
		case rows[id] == 0:
			unused = append(unused, id)
		case len(missing) == len(inUse): // it has none of them
			return nil, known, ErrKeysetWrong
		default:
			return nil, known, fmt.Errorf("%w: it lacks key %d, which has sealed %d rows", ErrKeysetOlder, id, rows[id])
		}
	}
	return unused, known, nil
}

// recordedKeys returns the keys in use. A database that is older than their table has
// every row read instead.
func recordedKeys(ctx context.Context, db *ent.Client, dialectName string) ([]uint32, error) {
	exists, err := hasTable(ctx, db, dialectName, keysetkey.Table)
	if err != nil {
		return nil, err
	}
	if exists {
		return listKeys(ctx, db)
	}
	rows, err := SealedRows(ctx, db)
	return slices.Sorted(maps.Keys(rows)), err
}

// SealedRows counts by key the rows that each key has sealed. The schema may be older
// than ent's.
func SealedRows(ctx context.Context, db *ent.Client) (map[uint32]int, error) {
	rows := make(map[uint32]int)
	count := func(sealed []byte) {
		if id, ok := secret.KeyOf(sealed); ok {
			rows[id]++
		}
	}
	keys, keysErr := db.SigningKey.Query().Select(signingkey.FieldPrivateSealed).All(ctx)
	for _, row := range keys {
		count(row.PrivateSealed)
	}
	checks, checksErr := db.KeysetCheck.Query().All(ctx)
	for _, row := range checks {
		count(row.Sealed)
	}
	err := errors.Join(keysErr, checksErr)
	for page, pageErr := range ClientPages(ctx, db, sealedPage, []string{oauthclient.FieldSecretSealed}) {
		err = errors.Join(err, pageErr)
		for _, row := range page {
			count(row.SecretSealed)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("count sealed rows: %w", err)
	}
	return rows, nil
}
