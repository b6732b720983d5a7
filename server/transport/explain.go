package transport

import (
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"clientsd/server/reqctx"
)

// What to send instead of a request that Connect takes for no call.
var (
	errPOST      = errors.New("this procedure is called with POST: " + sendJSON)
	errPOSTOrGET = errors.New("this procedure is called with POST or GET: " + sendJSON)
	errNoType    = errors.New("the request has no Content-Type: " + sendJSON)
	errOtherType = errors.New("the Content-Type of the request is not one of this API: " + sendJSON)
	errGETQuery  = errors.New("a GET has its message in the query, such as ?connect=v1&encoding=json&message=%7B%7D, and no body")
)

const sendJSON = "send Content-Type: application/json, and a JSON object such as {} as the body"

// Refuse answers a request that is no call of a procedure with this HTTP status and an
// error, in the caller's own protocol. Its code is the one that clients of Connect
// read from the status alone.
func (s *Stack) Refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	code := connect.CodeUnknown
	if status == http.StatusNotFound {
		code = connect.CodeUnimplemented
	}
	reqctx.SetCode(r.Context(), connect.CodeUnimplemented.String()) // for metrics: nothing is unknown
	w.Header().Set("Cache-Control", "no-store")
	_ = s.errors.Write(statusWriter{w, status}, r, connect.NewError(code, err)) // the caller may have gone
}

// statusWriter writes an error with another HTTP status than that of its code. The
// status of gRPC is always 200.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader replaces the status of an error. It names the charset, so that a caller
// of gRPC, who may get this answer too, does not take it for one of Connect.
func (w statusWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		status = w.status
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.ResponseWriter.WriteHeader(status)
}

// explain answers with a sentence where Connect answers without a body: another HTTP
// method, or another content type. Allow and Accept-Post are Connect's.
func (s *Stack) explain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&explainer{w, s, r}, r)
	})
}

type explainer struct {
	http.ResponseWriter

	stack   *Stack
	request *http.Request
}

// WriteHeader answers instead of Connect if that has nothing to say.
func (e *explainer) WriteHeader(status int) {
	switch status {
	case http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		e.stack.Refuse(e.ResponseWriter, withoutCodec(e.request), status, e.reason(status))
	default:
		e.ResponseWriter.WriteHeader(status)
	}
}

// withoutCodec returns a request of gRPC under the content type without a codec, which
// every client can read. The codec that the request names may be unknown.
func withoutCodec(r *http.Request) *http.Request {
	protocol, _, named := strings.Cut(r.Header.Get("Content-Type"), "+")
	if !named || !strings.HasPrefix(protocol, "application/grpc") {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Set("Content-Type", protocol)
	return r
}

func (e *explainer) reason(status int) error {
	switch {
	case status == http.StatusMethodNotAllowed && strings.Contains(e.Header().Get("Allow"), http.MethodGet):
		return errPOSTOrGET
	case status == http.StatusMethodNotAllowed:
		return errPOST
	case e.request.Method == http.MethodGet:
		return errGETQuery
	case e.request.Header.Get("Content-Type") == "":
		return errNoType
	default:
		return errOtherType
	}
}

// Flush implements [http.Flusher], which Connect looks for before it streams.
func (e *explainer) Flush() { _ = http.NewResponseController(e.ResponseWriter).Flush() } // a failure shows in the next Write

// Unwrap lets net/http find what it knows of its own writer.
func (e *explainer) Unwrap() http.ResponseWriter { return e.ResponseWriter }
