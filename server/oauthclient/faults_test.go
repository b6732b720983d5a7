package oauthclient_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/oauthclient"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/tx"
)

var errFault = errors.New("the disk is broken")

// A fault makes one statement fail, or a commit.
type fault struct{ left int }

// next returns errFault if this is the one.
func (f *fault) next() error {
	f.left--
	if f.left == 0 {
		return errFault
	}
	return nil
}

// faultyDriver and faultyTx run statements unless there is a fault.
type faultyDriver struct {
	*entsql.Driver

	fault *fault
}

func (d faultyDriver) Query(ctx context.Context, query string, args, v any) error {
	if err := d.fault.next(); err != nil {
		return err
	}
	return d.Driver.Query(ctx, query, args, v)
}

func (d faultyDriver) QueryContext(ctx context.Context, query string, args ...any) (*stdsql.Rows, error) {
	if err := d.fault.next(); err != nil {
		return nil, err
	}
	return d.Driver.QueryContext(ctx, query, args...)
}

func (d faultyDriver) Tx(ctx context.Context) (dialect.Tx, error) {
	if err := d.fault.next(); err != nil {
		return nil, err
	}
	begun, err := d.Driver.Tx(ctx)
	if err != nil {
		return nil, err
	}
	tx, ok := begun.(*entsql.Tx)
	if !ok {
		return nil, fmt.Errorf("a transaction of ent is a %T", begun)
	}
	return faultyTx{tx, d.fault}, nil
}

type faultyTx struct {
	*entsql.Tx

	fault *fault
}

func (t faultyTx) Exec(ctx context.Context, query string, args, v any) error {
	if err := t.fault.next(); err != nil {
		return err
	}
	return t.Tx.Exec(ctx, query, args, v)
}

func (t faultyTx) Query(ctx context.Context, query string, args, v any) error {
	if err := t.fault.next(); err != nil {
		return err
	}
	return t.Tx.Query(ctx, query, args, v)
}

func (t faultyTx) ExecContext(ctx context.Context, query string, args ...any) (stdsql.Result, error) {
	if err := t.fault.next(); err != nil {
		return nil, err
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

func (t faultyTx) QueryContext(ctx context.Context, query string, args ...any) (*stdsql.Rows, error) {
	if err := t.fault.next(); err != nil {
		return nil, err
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

func (t faultyTx) Commit() error {
	if err := t.fault.next(); err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.Tx.Commit()
}

// newFaulty makes a Store whose statements fail as fault says.
func newFaulty(t *testing.T, fault *fault) world {
	t.Helper()
	opened := storagetest.Open(t)
	client := func(pool string) *ent.Client {
		found, ok := opened.DB.Pools()[pool]
		if !ok {
			found = opened.DB.Pools()["all"]
		}
		return ent.NewClient(ent.Driver(faultyDriver{entsql.OpenDB(opened.DB.Dialect(), found), fault}))
	}
	write := client("write")
	store, err := oauthclient.NewStore(oauthclient.Config{
		Transact: func(ctx context.Context, body tx.Body) error { return tx.InTx(ctx, write, body) },
		Classify: database.Classify, Read: client("read"), Keyset: opened.Keyset, MaxOverlap: time.Hour, MaxClients: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return world{store, opened}
}

// stored returns all rows.
func (w world) stored(t *testing.T) []string {
	t.Helper()
	db := w.storage.DB.Read
	clients, err1 := db.OAuthClient.Query().Order(ent.Asc("id")).All(t.Context())
	events, err2 := db.ClientEvent.Query().Order(ent.Asc("id")).All(t.Context())
	keys, err3 := db.IdempotencyKey.Query().Order(ent.Asc("id")).All(t.Context())
	logos, err4 := db.ClientLogo.Query().Order(ent.Asc("id")).All(t.Context())
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, client := range clients {
		rows = append(rows, fmt.Sprintf("%v %x %x %x", client, client.SecretDigest, client.SecretSealed, client.PreviousSecretDigest))
	}
	for _, event := range events {
		rows = append(rows, fmt.Sprint(event))
	}
	for _, key := range keys {
		rows = append(rows, fmt.Sprint(key))
	}
	for _, logo := range logos {
		rows = append(rows, fmt.Sprint(logo))
	}
	return rows
}

// faultyCalls are calls that succeed without a fault. None changes what another one
// needs; they are made in any order.
func (w world) faultyCalls(t *testing.T) map[string]func(context.Context) error {
	t.Helper()
	clients, verified := map[string]uuid.UUID{}, w.create(t, input())
	for _, name := range []string{"rotated", "keyed", "repeated", "overlapping", "revoked", "updated", "with a logo", "deleted", "read"} {
		clients[name] = w.create(t, input()).ID
	}
	const hash = "0123456789abcdef0123456789abcdef"
	for _, name := range []string{"with a logo", "read"} {
		if _, err := w.SetLogo(t.Context(), acme, clients[name], []byte("png"), hash); err != nil {
			t.Fatal(err)
		}
	}
	repeated := oauthclient.RotateInput{ClientID: clients["repeated"], IncludeSecret: true, Key: newKey(t, "repeated")}
	for _, in := range []oauthclient.RotateInput{repeated, {ClientID: clients["revoked"], Overlap: time.Hour}} {
		if _, err := w.Rotate(t.Context(), acme, in); err != nil {
			t.Fatal(err)
		}
	}
	rotate := func(in oauthclient.RotateInput) func(context.Context) error {
		return func(ctx context.Context) error {
			record, err := w.Rotate(ctx, acme, in)
			if err != nil && record != (oauthclient.Record{}) {
				t.Errorf("got a record besides the error %v", err)
			}
			return err
		}
	}
	create := func(in oauthclient.CreateInput) func(context.Context) error {
		return func(ctx context.Context) error {
			record, err := w.Create(ctx, acme, in)
			if err != nil && record != (oauthclient.Record{}) {
				t.Errorf("got a record besides the error %v", err)
			}
			return err
		}
	}
	name, keyed := "Renamed", input()
	keyed.Key = newKey(t, "created")
	return map[string]func(context.Context) error{
		"Create":                   create(input()),
		"Create with a key":        create(keyed),
		"Rotate":                   rotate(oauthclient.RotateInput{ClientID: clients["rotated"]}),
		"Rotate with a key":        rotate(oauthclient.RotateInput{ClientID: clients["keyed"], Key: newKey(t, "keyed")}),
		"Rotate, repeated":         rotate(repeated),
		"Rotate with overlap":      rotate(oauthclient.RotateInput{ClientID: clients["overlapping"], Overlap: time.Hour}),
		"Rotate what is not there": ignore(oauthclient.ErrNotFound, rotate(oauthclient.RotateInput{ClientID: uuid.New(), Key: newKey(t, "none")})),
		"Rotate another version": ignore(oauthclient.ErrVersion,
			rotate(oauthclient.RotateInput{ClientID: clients["read"], ExpectedVersion: 9, Key: newKey(t, "version")})),
		"RevokePrevious": func(ctx context.Context) error {
			_, _, err := w.RevokePrevious(ctx, acme, clients["revoked"])
			return err
		},
		"Update": func(ctx context.Context) error {
			_, err := w.Update(ctx, acme, clients["updated"], oauthclient.UpdateInput{Name: &name})
			return err
		},
		"Update without a logo": func(ctx context.Context) error {
			_, err := w.Update(ctx, acme, clients["with a logo"], oauthclient.UpdateInput{RemoveLogo: true})
			return err
		},
		"Delete": func(ctx context.Context) error { return w.Delete(ctx, acme, clients["deleted"]) },
		"SetLogo": func(ctx context.Context) error {
			_, err := w.SetLogo(ctx, acme, clients["read"], []byte("other"), hash)
			return err
		},
		"Get":           func(ctx context.Context) error { _, err := w.Get(ctx, acme, clients["read"]); return err },
		"GetWithSecret": func(ctx context.Context) error { _, err := w.GetWithSecret(ctx, acme, clients["read"]); return err },
		"List":          func(ctx context.Context) error { _, err := w.page(ctx, oauthclient.ListInput{}); return err },
		"Public": func(ctx context.Context) error {
			list, err := w.Public(ctx, []uuid.UUID{clients["read"]})
			if err == nil {
				_, err = list.Read(ctx)
			}
			return err
		},
		"Logo": func(ctx context.Context) error {
			_, err := w.Logo(ctx, oauthclient.Logo{ClientID: clients["read"], Hash: hash})
			return err
		},
		"Events": func(ctx context.Context) error {
			_, err := w.Events(ctx, acme, oauthclient.EventsInput{ClientID: clients["read"]})
			return err
		},
		"Verify": func(ctx context.Context) error {
			_, err := w.Verify(ctx, acme, verified.ID, verified.Secret.Reveal())
			return err
		},
		"Totals":      func(ctx context.Context) error { _, err := w.Totals(ctx); return err },
		"ExpiredKeys": func(ctx context.Context) error { _, err := w.ExpiredKeys().Find(ctx, 10); return err },
		"OldEvents":   func(ctx context.Context) error { _, err := w.OldEvents(time.Nanosecond).Find(ctx, 10); return err },
	}
}

// ignore makes a call whose refusal is expected one that succeeds.
func ignore(refusal error, call func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := call(ctx); !errors.Is(err, refusal) {
			return err
		}
		return nil
	}
}

// Whichever statement of a call fails, the caller hears of it and nothing is changed.
func TestStore_EveryStatementMayFail(t *testing.T) {
	fault := &fault{}
	w := newFaulty(t, fault)
	for name, call := range w.faultyCalls(t) {
		t.Run(name, func(t *testing.T) {
			before := w.stored(t)
			for statement := 1; ; statement++ {
				fault.left = statement
				err := call(t.Context())
				if fault.left > 0 {
					if fault.left = 0; err != nil || statement == 1 {
						t.Errorf("after %d statements: got error %v", statement-1, err)
					}
					return
				}
				if !errors.Is(err, errFault) {
					t.Errorf("statement %d failed: got error %v", statement, err)
				}
				if diff := cmp.Diff(before, w.stored(t)); diff != "" {
					t.Fatalf("statement %d failed: rows (-before +after):\n%s", statement, diff)
				}
			}
		})
	}
}
