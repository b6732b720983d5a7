package server

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"clientsd/server/oauthclient"
)

const (
	logoPattern = "GET /logos/{client}/{file}"
	logoSuffix  = ".png"
	// A URL names one image for ever: a new image has a new URL.
	logoCaching = "public, max-age=31536000, immutable"
	// The image may be drawn, and nothing in it may run or load.
	logoPolicy = "default-src 'none'; sandbox"
)

// logos knows under which URL each logo is served.
type logos struct {
	base string // of the whole service, without a slash at its end
}

// location is the URL of a logo.
func (l logos) location(logo oauthclient.Logo) string {
	return l.base + "/logos/" + logo.ClientID.String() + "/" + logo.Hash + logoSuffix
}

// url is the URL of the client's logo, or nil if it has none.
func (l logos) url(row *oauthclient.Client) *string {
	if row.LogoHash == nil {
		return nil
	}
	location := l.location(oauthclient.Logo{ClientID: row.ID, Hash: *row.LogoHash})
	return &location
}

// named is the logo a URL of ours names: nil for the empty URL, and a logo no
// client has for any other.
func (l logos) named(location string) *oauthclient.Logo {
	if location == "" {
		return nil
	}
	client, file, _ := strings.Cut(strings.TrimPrefix(location, l.base+"/logos/"), "/")
	id, _ := uuid.Parse(client)
	logo := oauthclient.Logo{ClientID: id, Hash: strings.TrimSuffix(file, logoSuffix)}
	if l.location(logo) != location {
		return &oauthclient.Logo{}
	}
	return &logo
}

// serveLogo answers with an image of ours. There is nothing in the answer that
// the uploader chose but the pixels.
func serveLogo(store *oauthclient.Store, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, idErr := uuid.Parse(r.PathValue("client"))
		hash, isPNG := strings.CutSuffix(r.PathValue("file"), logoSuffix)
		if idErr != nil || !isPNG {
			http.NotFound(w, r)
			return
		}
		png, err := store.Logo(r.Context(), oauthclient.Logo{ClientID: id, Hash: hash})
		if err != nil {
			logoError(w, r, log, err)
			return
		}
		header := w.Header()
		header.Set("Etag", `"`+hash+`"`)
		header.Set("Cache-Control", logoCaching)
		header.Set("Content-Security-Policy", logoPolicy)
		header.Set("Cross-Origin-Resource-Policy", "cross-origin") // pages elsewhere show it
		header.Set("Content-Type", "image/png")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(png))
	}
}

func logoError(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	if errors.Is(err, oauthclient.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	log.ErrorContext(r.Context(), "serve logo", "error", err)
	http.Error(w, "the logo cannot be served now", http.StatusServiceUnavailable)
}
