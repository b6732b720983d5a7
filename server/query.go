package server

import (
	"encoding/base64"
	"errors"
	"net/http"

	"connectrpc.com/connect"
)

// errQuery answers a GET whose message is not the base64 it is said to be.
var errQuery = errors.New("the message in the query is not base64 for URLs")

// checkQuery refuses such a GET before Connect does, whose answer would say
// that the fault is ours.
func checkQuery(writer *connect.ErrorWriter, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Query().Get("base64") == "1" && !isBase64(r.URL.Query().Get("message")) {
			_ = writer.Write(w, r, connect.NewError(connect.CodeInvalidArgument, errQuery)) // a caller who has gone needs no answer
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isBase64 accepts what Connect does: the alphabet of RFC 4648, 5, padded to a
// multiple of four or not at all.
func isBase64(text string) bool {
	encoding := base64.RawURLEncoding
	if len(text)%4 == 0 {
		encoding = base64.URLEncoding
	}
	_, err := encoding.DecodeString(text)
	return err == nil
}
