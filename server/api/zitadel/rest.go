package zitadel

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
)

const (
	// RESTPrefix is where the paths of the REST API begin.
	RESTPrefix = "/management/v1/"

	restPath = RESTPrefix + "projects/{project_id}/apps/{app_id}/oidc_config/_generate_client_secret"
)

// NewREST returns a handler that serves the method as ZITADEL's REST API does, with
// JSON bodies and errors that are a google.rpc.Status. It reads at most limit bytes
// of a body. What wraps it must authenticate; check wraps the method itself, whose
// path is that of the RPC.
//
// It is for RESTPrefix only: in front of the RPC path the transcoder would cost
// a third of the speed, and take JSON without Connect's header for REST.
func NewREST(
	service *Service, limit uint32, check func(http.Handler) http.Handler, options ...connect.HandlerOption,
) (http.Handler, error) {
	options = append(slices.Clone(options), connect.WithCompression("gzip", nil, nil))
	path, handler := managementv1connect.NewManagementServiceHandler(service, options...)
	transcoder, err := vanguard.NewTranscoder(
		[]*vanguard.Service{vanguard.NewService(path, check(handler),
			vanguard.WithMaxMessageBufferBytes(limit), vanguard.WithNoTargetCompression())},
		vanguard.WithRules(&annotations.HttpRule{
			Selector: "zitadel.management.v1.ManagementService.RegenerateOIDCClientSecret",
			Pattern:  &annotations.HttpRule_Post{Post: restPath},
			Body:     "*",
		}),
		vanguard.WithCodec(func(types vanguard.TypeResolver) vanguard.Codec {
			return callersJSON{vanguard.NewJSONCodec(types)}
		}),
		vanguard.WithUnknownHandler(http.HandlerFunc(unknownPath)),
	)
	if err != nil {
		return nil, fmt.Errorf("transcode REST: %w", err)
	}
	return normalise(transcoder), nil
}

// foreignHeaders are headers of other protocols: one makes the transcoder take a
// call for an RPC, the others would set a deadline that the API does not have.
var foreignHeaders = []string{"Connect-Protocol-Version", "Connect-Timeout-Ms", "Content-Encoding", "X-Server-Timeout"}

// normalise refuses what the transcoder would answer in plain text or as a fault
// of the server. It removes what the transcoder would act on although the API does
// not have it: headers, and parameters of a query, which win over the path. It
// passes on the path as it was sent, because the transcoder unescapes it.
func normalise(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code, err := unacceptable(r); err != nil {
			if code == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", http.MethodPost)
			}
			writeStatus(w, code, err)
			return
		}
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = r.URL.EscapedPath(), "", ""
		for _, name := range foreignHeaders {
			r.Header.Del(name)
		}
		r.Header.Set("Content-Type", "application/json")
		next.ServeHTTP(w, r)
	})
}

// unacceptable returns why a request is not one of this API, if it is not. It
// refuses a compressed body, because nothing would bound how it inflates.
func unacceptable(r *http.Request) (int, *connect.Error) {
	encoding := r.Header.Get("Content-Encoding")
	switch {
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, connect.NewError(connect.CodeUnimplemented, errMethod)
	case encoding != "" && encoding != "identity":
		return http.StatusUnsupportedMediaType, connect.NewError(connect.CodeInvalidArgument, errEncoding)
	case !isJSON(r.Header.Get("Content-Type")):
		return http.StatusUnsupportedMediaType, connect.NewError(connect.CodeInvalidArgument, errContentType)
	case isForm(r.Header.Get("Content-Type")) && fromBrowser(r.Header):
		return http.StatusUnsupportedMediaType, connect.NewError(connect.CodeInvalidArgument, errForm)
	case !utf8.ValidString(r.URL.Path):
		return http.StatusBadRequest, connect.NewError(connect.CodeInvalidArgument, errPathText)
	default:
		return 0, nil
	}
}

// formType names the content type that curl and others send unless another one is
// asked for. ZITADEL reads such a body as JSON.
const formType = "application/x-www-form-urlencoded"

// isJSON reports whether a body of this type is read as JSON. It also accepts no type
// at all: that is how an empty body comes.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	charset, named := parameters["charset"]
	return err == nil && (mediaType == "application/json" || mediaType == formType) && (!named || strings.EqualFold(charset, "utf-8"))
}

func isForm(contentType string) bool {
	mediaType, _, _ := mime.ParseMediaType(contentType) // isJSON has seen an error
	return mediaType == formType
}

// fromBrowser reports a request with what browsers add and programs do not. A form is
// what the page of any site can send without asking first.
func fromBrowser(header http.Header) bool {
	for _, name := range []string{"Cookie", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} {
		if len(header.Values(name)) > 0 {
			return true
		}
	}
	return false
}

// callersJSON reports JSON that cannot be read as a fault of the caller. The
// transcoder takes any error of a codec for a fault of the server.
type callersJSON struct{ *vanguard.JSONCodec }

// Unmarshal reads a whole message.
func (c callersJSON) Unmarshal(text []byte, message proto.Message) error {
	return callersFault(c.JSONCodec.Unmarshal(text, message))
}

// UnmarshalField reads one field.
func (c callersJSON) UnmarshalField(text []byte, message proto.Message, field protoreflect.FieldDescriptor) error {
	return callersFault(c.JSONCodec.UnmarshalField(text, message, field))
}

func callersFault(err error) error {
	if err == nil {
		return nil
	}
	return connect.NewError(connect.CodeInvalidArgument, err)
}
