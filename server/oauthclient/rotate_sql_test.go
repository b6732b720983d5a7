package oauthclient_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/idempotencykey"
	"clientsd/server/oauthclient"
)

// A column that a migration adds must not be forgotten by a statement in SQL.
func TestInsertSQL_NamesEveryColumn(t *testing.T) {
	for statement, columns := range map[string][]string{
		oauthclient.InsertEvent: clientevent.Columns,
		oauthclient.InsertKey:   idempotencykey.Columns,
	} {
		list := regexp.MustCompile(`(?s)\((.*)\)`).FindStringSubmatch(statement)[1]
		got := regexp.MustCompile(`\w+`).FindAllString(list, -1)
		want := slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return name == "id" })
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns (-want +got):\n%s", diff)
		}
	}
}

// What a rotation returns is read by ent's scanner, column by column: it must be
// the row that ent reads.
func TestRotateSQL_ReturnsTheRow(t *testing.T) {
	w := newWorld(t, nil)
	in := fullCreate()
	in.Verified = false
	record := w.create(t, in)
	key, err := oauthclient.ParseIdempotencyKey("alone")
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]oauthclient.RotateInput{
		"by itself": {ClientID: record.ID, Key: key}, // runs rotateSQL on every database
		"batched":   {ClientID: record.ID},           // runs rotateManySQL on PostgreSQL
	} {
		t.Run(name, func(t *testing.T) {
			rotated, err := w.Rotate(t.Context(), acme, in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(w.row(t, record.ID), rotated.Client, cmpopts.IgnoreUnexported(ent.OAuthClient{}, ent.OAuthClientEdges{})); diff != "" {
				t.Errorf("(-stored +returned):\n%s", diff)
			}
		})
	}
}

// The columns that a rotation changes, and no others, in both statements.
func TestRotateSQL_ChangesTheSecretOnly(t *testing.T) {
	later := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	w := newWorld(t, func() time.Time { return later })
	before := w.row(t, w.create(t, fullCreate()).ID)
	later = later.Add(time.Minute)
	if _, err := w.Rotate(t.Context(), acme, oauthclient.RotateInput{ClientID: before.ID}); err != nil {
		t.Fatal(err)
	}
	after := w.row(t, before.ID)
	if after.SecretVersion != 2 || after.Revision != 2 || after.UpdatedAt != later || *after.SecretCreatedAt != later {
		t.Errorf("got version %d, revision %d, updated at %v, secret made at %v", after.SecretVersion, after.Revision, after.UpdatedAt, after.SecretCreatedAt)
	}
	ignored := cmpopts.IgnoreFields(ent.OAuthClient{}, "SecretDigest", "SecretSealed", "SecretVersion", "SecretCreatedAt", "Revision", "UpdatedAt",
		"EndedDigest", "EndedVersion", "EndedAt")
	if diff := cmp.Diff(before, after, ignored, cmpopts.IgnoreUnexported(ent.OAuthClient{}, ent.OAuthClientEdges{})); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
