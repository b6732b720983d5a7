// Package openapi owns the OpenAPI document, for callers who do not use the proto
// files, and serves it. `make generate` generates the document from the proto
// files and base.yaml; the command complete adds what the code knows.
//
// It must not import anything of clientsd: tests compare the document with the
// code and with a running server.
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

// Handler serves the document, an OpenAPI 3.1 description in YAML (RFC 9512), or
// answers 304 if the caller has it already. It needs no token.
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
