package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"clientsd/server/oauthclient"
)

// What a caller reads when the fault is ours or nobody's. It never has a cause.
var (
	errInternal = errors.New("internal error: see the server's log under this request id")
	errDeadline = errors.New("the deadline of the call has passed")
	errCanceled = errors.New("the caller has gone away")
)

// codeOf is the table from domain error to Connect code. An outcome that nobody
// knows is not in it: see domainCode.
var codeOf = map[oauthclient.Code]connect.Code{
	oauthclient.NotFound:      connect.CodeNotFound,
	oauthclient.Invalid:       connect.CodeInvalidArgument,
	oauthclient.AlreadyExists: connect.CodeAlreadyExists,
	oauthclient.Precondition:  connect.CodeFailedPrecondition,
	oauthclient.Aborted:       connect.CodeAborted,
	oauthclient.Exhausted:     connect.CodeResourceExhausted,
	oauthclient.Damaged:       connect.CodeDataLoss,
	oauthclient.Unavailable:   connect.CodeUnavailable,
	oauthclient.TimedOut:      connect.CodeDeadlineExceeded,
}

// domainCode returns the code of a domain error. An unknown outcome is unavailable
// if the caller can repeat the call, or else clients would repeat it by themselves.
func domainCode(err *oauthclient.Error) connect.Code {
	code, known := codeOf[err.Code]
	switch {
	case known:
		return code
	case err.Code == oauthclient.OutcomeUnknown && err.Retryable:
		return connect.CodeUnavailable
	case err.Code == oauthclient.OutcomeUnknown:
		return connect.CodeUnknown
	default:
		return connect.CodeInternal
	}
}

// mapErrors turns every error into a Connect error. It logs the errors that an
// operator must hear of in full.
func (s *Stack) mapErrors() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			resp, err := next(ctx, req)
			if err == nil {
				return resp, nil
			}
			refusal := byField(connectError(err), isJSON(req))
			if isOurs(refusal.Code()) {
				s.config.Log.ErrorContext(ctx, "call failed", "procedure", req.Spec().Procedure,
					"code", refusal.Code().String(), "error", err)
			}
			return nil, refusal
		}
	}
}

// isOurs reports the codes that an operator must hear of.
func isOurs(code connect.Code) bool {
	return code == connect.CodeInternal || code == connect.CodeUnavailable || code == connect.CodeDataLoss || code == connect.CodeUnknown
}

// connectError maps err: a Connect error stays, a domain error follows the
// table, the rest says only what a caller can act on.
func connectError(err error) *connect.Error {
	var ready *connect.Error
	var domain *oauthclient.Error
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &domain):
		return domainError(domain)
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, errDeadline)
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, errCanceled)
	default:
		return connect.NewError(connect.CodeInternal, errInternal)
	}
}

// domainError carries the fields that broke a rule as buf.validate.Violations,
// as the validation of messages does, and the reason, if it has one.
func domainError(err *oauthclient.Error) *connect.Error {
	refusal := connect.NewError(domainCode(err), err)
	if len(err.Violations) > 0 {
		addDetail(refusal, violations(err.Violations))
	}
	if err.Reason != "" {
		addDetail(refusal, &errdetails.ErrorInfo{Reason: err.Reason, Domain: "clientsd", Metadata: err.Metadata})
	}
	return refusal
}

func violations(list []oauthclient.Violation) *validate.Violations {
	message := &validate.Violations{}
	for _, v := range list {
		violation := &validate.Violation{RuleId: proto.String(v.Rule), Message: proto.String(v.Message)}
		if v.Field != "" {
			violation.Field = fieldPath(v.Field)
		}
		message.Violations = append(message.Violations, violation)
	}
	return message
}

// byField rewrites an error about fields: see [fieldsError]. A caller of JSON reads
// the names of JSON. Other details stay.
func byField(refusal *connect.Error, inJSON bool) *connect.Error {
	for _, detail := range refusal.Details() {
		value, err := detail.Value()
		found, ok := value.(*validate.Violations)
		if err != nil || !ok {
			continue
		}
		list := proto.CloneOf(found) // protovalidate shares the paths
		if inJSON {
			useJSONNames(list)
		}
		rewritten := fieldsError(refusal.Code(), list)
		for _, other := range refusal.Details() {
			if other != detail {
				rewritten.AddDetail(other)
			}
		}
		return rewritten
	}
	return refusal
}

// fieldsError returns an error about fields, each of which it names once, in the
// words of protovalidate.
func fieldsError(code connect.Code, list *validate.Violations) *connect.Error {
	merged, first := &validate.Violations{}, map[string]*validate.Violation{}
	for _, v := range list.GetViolations() {
		path := protovalidate.FieldPathString(v.GetField())
		if earlier := first[path]; earlier != nil && path != "" {
			if !strings.Contains(earlier.GetMessage(), v.GetMessage()) {
				earlier.Message = proto.String(earlier.GetMessage() + "; " + v.GetMessage())
			}
			continue
		}
		first[path] = v
		merged.Violations = append(merged.Violations, v)
	}
	head, lines := "validation error: ", make([]string, len(merged.GetViolations()))
	for i, v := range merged.GetViolations() {
		lines[i] = v.GetMessage()
		if path := protovalidate.FieldPathString(v.GetField()); path != "" {
			lines[i] = path + ": " + lines[i]
		}
	}
	if len(lines) > 1 {
		head = "validation errors:\n - "
	}
	refusal := connect.NewError(code, errors.New(head+strings.Join(lines, "\n - ")))
	addDetail(refusal, merged)
	return refusal
}

// isJSON reports whether the caller sent JSON, in any protocol.
func isJSON(req connect.AnyRequest) bool {
	return strings.Contains(req.Header().Get("Content-Type"), "json") || req.Peer().Query.Get("encoding") == "json"
}

// useJSONNames replaces the names of fields.
func useJSONNames(list *validate.Violations) {
	for _, v := range list.GetViolations() {
		for _, element := range v.GetField().GetElements() {
			element.FieldName = proto.String(jsonNames(element.GetFieldName()))
		}
		v.Message = proto.String(jsonNames(v.GetMessage()))
	}
}

// protoName matches the name of a field that JSON spells in another way.
var protoName = regexp.MustCompile(`\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b`)

// jsonNames spells the names of fields in a text as JSON does.
func jsonNames(text string) string {
	return protoName.ReplaceAllStringFunc(text, func(name string) string {
		words := strings.Split(name, "_")
		for i, word := range words[1:] {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
		return strings.Join(words, "")
	})
}

// fieldPath writes "list[2].name" as protovalidate does, so that every violation
// reads alike.
func fieldPath(path string) *validate.FieldPath {
	message := &validate.FieldPath{}
	for part := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(part, "[")
		element := &validate.FieldPathElement{FieldName: proto.String(name)}
		if n, err := strconv.ParseUint(strings.TrimSuffix(index, "]"), 10, 64); indexed && err == nil {
			element.Subscript = &validate.FieldPathElement_Index{Index: n}
		}
		message.Elements = append(message.Elements, element)
	}
	return message
}

func addDetail(refusal *connect.Error, message proto.Message) {
	if detail, err := connect.NewErrorDetail(message); err == nil {
		refusal.AddDetail(detail)
	}
}

// recoverCall turns a panic in a handler into an internal error. Only the log has
// the cause.
func (s *Stack) recoverCall(ctx context.Context, spec connect.Spec, _ http.Header, cause any) error {
	s.config.Log.ErrorContext(ctx, "handler panicked", "procedure", spec.Procedure, "panic", fmt.Sprint(cause))
	return connect.NewError(connect.CodeInternal, errInternal)
}

// recoverPanics does the same outside RPC handlers.
func (s *Stack) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.answerPanic(w, r)
		next.ServeHTTP(w, r)
	})
}

// answerPanic must be deferred itself: otherwise recover returns nil.
func (s *Stack) answerPanic(w http.ResponseWriter, r *http.Request) {
	switch cause := recover(); cause {
	case nil:
	case http.ErrAbortHandler:
		panic(cause) //nolint:forbidigo // net/http's own way to end a connection
	default:
		s.config.Log.ErrorContext(r.Context(), "handler panicked", "path", r.URL.Path, "panic", fmt.Sprint(cause))
		http.Error(w, errInternal.Error(), http.StatusInternalServerError)
	}
}
