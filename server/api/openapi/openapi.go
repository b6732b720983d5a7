// Package openapi serves the description of the API for callers who have no use
// for the proto files. `make generate` makes it from them and from base.yaml.
//
// It imports nothing of clientsd: a test holds the document against the rest.
package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"net/http"
	"time"
)

//go:embed openapi.yaml
var document []byte

// Handler answers with the document, an OpenAPI 3.1 description in YAML (RFC
// 9512), or with 304 if the caller has it already. It needs no token.
func Handler() http.Handler {
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(document))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/yaml")
		header.Set("Cache-Control", "public, max-age=300")
		header.Set("Etag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
	})
}
