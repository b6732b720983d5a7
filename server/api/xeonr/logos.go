package xeonr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"clientsd/server/api"
	"clientsd/server/oauthclient"
)

// LogoPattern is the path of the handler that [NewLogoHandler] returns.
const LogoPattern = "/logos/{client}/{file}"

const (
	logoSuffix = ".png"
	// maxLogoBytes bounds the images that are kept to be served. One has a megabyte
	// at most.
	maxLogoBytes = 16 << 20
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

// logoHandler serves images that the server has encoded. Of the answer the uploader
// chose nothing but the pixels.
type logoHandler struct {
	store *oauthclient.Store
	log   *slog.Logger

	mu    sync.Mutex // held while an image is read from the database: one at a time
	cache *simplelru.LRU[string, []byte]
	bytes int // in cache
}

// NewLogoHandler returns a handler for LogoPattern. However many readers there are,
// however slow, it keeps maxLogoBytes of images: they share one copy of each, and
// what they have not read yet is read again when it is gone.
func NewLogoHandler(store *oauthclient.Store, log *slog.Logger) http.Handler {
	cache, _ := simplelru.NewLRU[string, []byte](math.MaxInt, nil) // fails only for a size below one
	return &logoHandler{store: store, log: log, cache: cache}
}

// ServeHTTP serves the image if it is the client's logo now.
func (h *logoHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, idErr := api.ParseClientID(r.PathValue("client"))
	hash, isPNG := strings.CutSuffix(r.PathValue("file"), logoSuffix)
	if idErr != nil || !isPNG {
		http.NotFound(w, r)
		return
	}
	image := logoReader{h, r.Context(), oauthclient.Logo{ClientID: id, Hash: hash}}
	size, err := h.store.LogoSize(r.Context(), image.logo)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	header := w.Header()
	header.Set("Etag", `"`+hash+`"`)
	header.Set("Cache-Control", logoCaching)
	header.Set("Content-Security-Policy", logoPolicy)
	header.Set("Cross-Origin-Resource-Policy", "cross-origin") // pages elsewhere show it
	header.Set("Content-Type", "image/png")
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(image, 0, size))
}

func (h *logoHandler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, oauthclient.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	h.log.ErrorContext(r.Context(), "serve logo", "error", err)
	http.Error(w, "the logo cannot be served now", http.StatusServiceUnavailable)
}

// image returns the bytes of a logo that a client has. Equal logos are one.
func (h *logoHandler) image(ctx context.Context, logo oauthclient.Logo) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if png, ok := h.cache.Get(logo.Hash); ok {
		return png, nil
	}
	png, err := h.store.Logo(ctx, logo)
	if err != nil {
		return nil, err
	}
	h.cache.Add(logo.Hash, png)
	for h.bytes += len(png); h.bytes > maxLogoBytes; {
		_, old, _ := h.cache.RemoveOldest()
		h.bytes -= len(old)
	}
	return png, nil
}

// A logoReader reads from the image of a logo. It keeps none of it between reads.
type logoReader struct {
	handler *logoHandler
	ctx     context.Context //nolint:containedctx // that of the request
	logo    oauthclient.Logo
}

// ReadAt copies a part of the image.
func (l logoReader) ReadAt(p []byte, offset int64) (int, error) {
	png, err := l.handler.image(l.ctx, l.logo)
	if err != nil {
		if l.ctx.Err() == nil {
			l.handler.log.ErrorContext(l.ctx, "serve logo: the answer breaks off", "error", err)
		}
		return 0, err
	}
	return bytes.NewReader(png).ReadAt(p, offset)
}
