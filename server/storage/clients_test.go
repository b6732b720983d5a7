package storage_test

import (
	"context"
	"errors"
	"testing"

	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

func TestRestoredClients(t *testing.T) {
	const clients, size = 9, 4
	db := storagetest.Open(t).DB
	for i := range clients {
		register(t, db, "name", int64(i+1))
		register(t, db, "public", 0)
	}
	versions := map[int64]bool{}
	var last string
	var sizes []int
	for page, err := range storage.RestoredClients(t.Context(), db.Read, size) {
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page {
			if id := row.ID.String(); id <= last || row.Name != "name" || row.Organisation != "acme" || row.SecretCreatedAt == nil {
				t.Errorf("after %s: got %v", last, row)
			}
			last, versions[row.SecretVersion] = row.ID.String(), true
		}
		sizes = append(sizes, len(page))
	}
	if len(versions) != clients || versions[0] || len(sizes) != 3 || sizes[0] != size || sizes[2] != clients-2*size {
		t.Errorf("got %d clients in pages of %v", len(versions), sizes)
	}
}

func TestClientPages_StopsWithItsReader(t *testing.T) {
	db := storagetest.Open(t).DB
	for range 3 {
		register(t, db, "name", 1)
	}
	pages := 0
	for range storage.ClientPages(t.Context(), db.Read, 1, []string{"name"}) {
		pages++
		break
	}
	if pages != 1 {
		t.Errorf("got %d pages", pages)
	}
}

func TestClientPages_StopsAfterAnError(t *testing.T) {
	db := storagetest.Open(t).DB
	for range 3 {
		register(t, db, "name", 1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []error
	for _, err := range storage.ClientPages(ctx, db.Read, 1, []string{"name"}) {
		got = append(got, err)
		cancel()
	}
	if len(got) != 2 || got[0] != nil || !errors.Is(got[1], context.Canceled) {
		t.Errorf("got errors %v", got)
	}
}

func TestClientPages_Empty(t *testing.T) {
	for page, err := range storage.ClientPages(t.Context(), storagetest.Open(t).DB.Read, 1, []string{"name"}) {
		t.Errorf("got %v, error %v", page, err)
	}
}
