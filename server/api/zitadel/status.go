package zitadel

import (
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

var (
	errMethod      = errors.New("only POST is allowed")
	errContentType = errors.New("the body must be application/json in UTF-8")
	errForm        = errors.New("a browser must send the body as application/json")
	errEncoding    = errors.New("a compressed body is not accepted")
	errPathText    = errors.New("the path must be UTF-8")
	errPath        = errors.New("not found: this API has POST " + restPath + " only")
)

// httpStatus is the HTTP status that belongs to each code that can come before
// the transcoder; those behind it are the transcoder's.
var httpStatus = map[connect.Code]int{
	connect.CodeUnauthenticated:   http.StatusUnauthorized,
	connect.CodeResourceExhausted: http.StatusTooManyRequests,
	connect.CodeUnavailable:       http.StatusServiceUnavailable,
	connect.CodeInternal:          http.StatusInternalServerError,
}

// WriteError answers a REST call that does not get as far as the method.
func WriteError(w http.ResponseWriter, err *connect.Error) {
	code, known := httpStatus[err.Code()]
	if !known {
		code = http.StatusInternalServerError
	}
	writeStatus(w, code, err)
}

func unknownPath(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, http.StatusNotFound, connect.NewError(connect.CodeNotFound, errPath))
}

// writeStatus writes a google.rpc.Status as JSON, as the transcoder does.
func writeStatus(w http.ResponseWriter, httpCode int, err *connect.Error) {
	answer := &status.Status{Code: int32(err.Code()), Message: err.Message()} //nolint:gosec // codes go to 16
	for _, detail := range err.Details() {
		answer.Details = append(answer.Details, &anypb.Any{TypeUrl: "type.googleapis.com/" + detail.Type(), Value: detail.Bytes()})
	}
	text, marshalErr := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(answer)
	if marshalErr != nil {
		text = []byte(`{"code":13,"message":"internal error","details":[]}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(httpCode)
	_, _ = w.Write(text) // a caller who has gone needs no answer
}
