package xeonr

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"clientsd/server/api"
	"clientsd/server/oauthclient"
)

// LogoPattern is the path of [ServeLogo].
const LogoPattern = "/logos/{client}/{file}"

const (
	logoSuffix = ".png"
	// logoCaching never ends: a new image has a new URL.
	logoCaching = "public, max-age=31536000, immutable"
	// logoPolicy lets a browser draw the image, and nothing in it run or load.
	logoPolicy = "default-src 'none'; sandbox"
)

// logos converts between logos and their URLs.
type logos struct {
	base string // URL of the whole service, without a slash at its end
}

// location returns the URL of a logo.
func (l logos) location(logo oauthclient.Logo) string {
	return l.base + "/logos/" + logo.ClientID.String() + "/" + logo.Hash + logoSuffix
}

// url returns the URL of the client's logo, or nil if it has none.
func (l logos) url(row *oauthclient.Client) *string {
	if row.LogoHash == nil {
		return nil
	}
	location := l.location(oauthclient.Logo{ClientID: row.ID, Hash: *row.LogoHash})
	return &location
}

// parse returns the logo that a URL names: nil for the empty URL, and a logo that
// no client has for a foreign URL.
func (l logos) parse(location string) *oauthclient.Logo {
	if location == "" {
		return nil
	}
	client, file, _ := strings.Cut(strings.TrimPrefix(location, l.base+"/logos/"), "/")
	id, _ := api.ParseClientID(client)
	logo := oauthclient.Logo{ClientID: id, Hash: strings.TrimSuffix(file, logoSuffix)}
	if l.location(logo) != location {
		return &oauthclient.Logo{}
	}
	return &logo
}

// ServeLogo serves an image that the server has encoded. Of the answer the
// uploader chose nothing but the pixels.
func ServeLogo(store *oauthclient.Store, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, idErr := api.ParseClientID(r.PathValue("client"))
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
