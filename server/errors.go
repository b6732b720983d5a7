package server

import (
	"context"
	"errors"
	"log/slog"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"clientsd/server/oauthclient"
)

// What a caller reads when the fault is ours or nobody's: no cause, ever.
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

// mapErrors is the one place where an error becomes a Connect error. What it
// does not know it logs in full and answers with a fixed sentence.
func mapErrors(log *slog.Logger) connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			resp, err := next(ctx, req)
			if err == nil {
				return resp, nil
			}
			answer := connectError(err)
			if isOurs(answer.Code()) {
				log.ErrorContext(ctx, "call failed", "procedure", req.Spec().Procedure,
					"code", answer.Code().String(), "error", err)
			}
			return nil, answer
		}
	}
}

// isOurs reports the codes an operator must hear of.
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
// as the validation of messages does, and otherwise the reason, if it has one.
func domainError(err *oauthclient.Error) *connect.Error {
	answer := connect.NewError(domainCode(err), err)
	switch {
	case len(err.Violations) > 0:
		addDetail(answer, violations(err.Violations))
	case err.Reason != "":
		addDetail(answer, &errdetails.ErrorInfo{Reason: err.Reason, Domain: "clientsd"})
	}
	return answer
}

func violations(list []oauthclient.Violation) *validate.Violations {
	message := &validate.Violations{}
	for _, v := range list {
		message.Violations = append(message.Violations, &validate.Violation{
			Field:   fieldPath(v.Field),
			RuleId:  proto.String(v.Rule),
			Message: proto.String(v.Message),
		})
	}
	return message
}

func addDetail(answer *connect.Error, message proto.Message) {
	if detail, err := connect.NewErrorDetail(message); err == nil {
		answer.AddDetail(detail)
	}
}
