package api_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"clientsd/server/api"
	"clientsd/server/oauthclient"
)

func TestParseClientID_AcceptsOneSpellingOnly(t *testing.T) {
	const id = "550e8400-e29b-41d4-a716-446655440000"
	for text, ok := range map[string]bool{
		id: true, strings.ToUpper(id): true,
		"": false, "x": false, "{" + id + "}": false, "urn:uuid:" + id: false, strings.ReplaceAll(id, "-", ""): false,
		" " + id: false, id + " ": false, `"` + id + `"`: false, id[1:]: false,
	} {
		got, err := api.ParseClientID(text)
		if ok && (err != nil || got.String() != id) || !ok && (!errors.Is(err, oauthclient.ErrNotFound) || got != uuid.Nil) {
			t.Errorf("%q: got %v, error %v", text, got, err)
		}
	}
}
