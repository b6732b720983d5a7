// Package clientsd serves clientsd.v1.SecretsService: what this server adds to the
// mirrored contract.
//
// Its methods convert, call the domain and convert back, and throttle and log wrong
// secrets. It must not know the database, and it need not check scopes or message
// rules: both are checked before a method runs.
package clientsd

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/server/abuse"
	"clientsd/server/api"
	"clientsd/server/auth"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
)

// Service implements the service.
type Service struct {
	clientsdv1connect.UnimplementedSecretsServiceHandler

	// Store is the domain.
	Store *oauthclient.Store
	// Failures throttles and logs wrong secrets.
	Failures *abuse.Failures
	// Verified counts the result of every verification.
	Verified func(oauthclient.Match)
}

// errTooManyFailures answers a wrong secret after too many. A right one never gets
// this answer: nobody locks a client out by guessing.
var errTooManyFailures = errors.New("too many wrong secrets: wait before the next")

// The tables from the domain's matches to the messages. VerifySecret does not tell
// a secret that has ended from any other wrong one.
var (
	matchOnWire = map[oauthclient.Match]clientsdv1.SecretMatch{
		oauthclient.MatchCurrent:  clientsdv1.SecretMatch_SECRET_MATCH_CURRENT,
		oauthclient.MatchPrevious: clientsdv1.SecretMatch_SECRET_MATCH_PREVIOUS,
	}
	stateOnWire = map[oauthclient.Match]clientsdv1.SecretState{
		oauthclient.MatchCurrent:  clientsdv1.SecretState_SECRET_STATE_CURRENT,
		oauthclient.MatchPrevious: clientsdv1.SecretState_SECRET_STATE_PREVIOUS,
		oauthclient.MatchEnded:    clientsdv1.SecretState_SECRET_STATE_ENDED,
	}
)

// VerifySecret reports whether a secret is valid for a client now.
func (s *Service) VerifySecret(ctx context.Context, req *clientsdv1.VerifySecretRequest) (*clientsdv1.VerifySecretResponse, error) {
	id, err := api.ParseClientID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	v, err := s.Store.Verify(ctx, reqctx.Caller(ctx), id, req.GetSecret())
	if err != nil {
		return nil, err
	}
	s.Verified(v.Match)
	if !v.Match.Valid() {
		s.logRefusal(ctx, id, v)
		return &clientsdv1.VerifySecretResponse{Matched: clientsdv1.SecretMatch_SECRET_MATCH_NONE}, s.countFailure(ctx, id.String())
	}
	return &clientsdv1.VerifySecretResponse{Valid: true, Matched: matchOnWire[v.Match], SecretVersion: v.Version}, nil
}

// logRefusal logs a wrong secret, folded by client. Clients that do not exist are
// folded by caller: otherwise one could make up as many as the log may have lines.
func (s *Service) logRefusal(ctx context.Context, id uuid.UUID, v oauthclient.Verification) {
	caller := reqctx.Caller(ctx)
	who := caller.Issuer + " " + caller.Subject
	denial := abuse.Denial{Call: reqctx.RouteOf(ctx).String(), Client: id.String(), Reason: "wrong secret"}
	details := []any{"organisation", caller.Organisation, "address", caller.Address}
	switch {
	case !v.ClientExists:
		denial.Caller, denial.Client, denial.Reason = who, "", "secret of a client that does not exist"
		details = append(details, "client", id)
	case v.Match == oauthclient.MatchEnded:
		denial.Reason = "secret that has ended"
		details = append(details, "caller", who, "secret_version", v.Version)
	default:
		details = append(details, "caller", who)
	}
	s.Failures.Log(ctx, denial, details...)
}

// FindSecret returns the client that a secret was issued for.
func (s *Service) FindSecret(ctx context.Context, req *clientsdv1.FindSecretRequest) (*clientsdv1.FindSecretResponse, error) {
	caller := reqctx.Caller(ctx)
	found, err := s.Store.FindSecret(ctx, caller, req.GetSecret())
	if errors.Is(err, oauthclient.ErrSecretNotFound) {
		s.Failures.Log(ctx, abuse.Denial{
			Caller: caller.Issuer + " " + caller.Subject, Call: reqctx.RouteOf(ctx).String(), Reason: "secret of no client on record",
		}, "organisation", caller.Organisation, "address", caller.Address)
		return nil, cmp.Or(s.countFailure(ctx, "no client"), err)
	}
	if err != nil {
		return nil, err
	}
	return &clientsdv1.FindSecretResponse{
		ClientId:      found.ClientID.String(),
		SecretVersion: found.Version,
		State:         stateOnWire[found.Match],
	}, nil
}

// countFailure bounds the wrong secrets for a client and from an address, for each
// organisation alone: what one guesses, also at clients of others, is not counted
// against another that calls through the same address.
func (s *Service) countFailure(ctx context.Context, client string) error {
	organisation := reqctx.Caller(ctx).Organisation
	wait := s.Failures.Count(
		"secret of "+client+" for "+organisation,
		"secret from "+reqctx.Address(ctx)+" for "+organisation,
	)
	if wait == 0 {
		return nil
	}
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		info.ResponseHeader().Set("Retry-After", auth.RetryAfter(wait))
	}
	return connect.NewError(connect.CodeResourceExhausted, errTooManyFailures)
}

// RevokePreviousSecret ends the overlap of a rotation early.
func (s *Service) RevokePreviousSecret(
	ctx context.Context, req *clientsdv1.RevokePreviousSecretRequest,
) (*clientsdv1.RevokePreviousSecretResponse, error) {
	id, err := api.ParseClientID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	row, revoked, err := s.Store.RevokePrevious(ctx, reqctx.Caller(ctx), id)
	if err != nil {
		return nil, err
	}
	return &clientsdv1.RevokePreviousSecretResponse{Revoked: revoked, SecretVersion: row.SecretVersion}, nil
}

// ListClientEvents returns what happened to a client.
func (s *Service) ListClientEvents(
	ctx context.Context, req *clientsdv1.ListClientEventsRequest,
) (*clientsdv1.ListClientEventsResponse, error) {
	id, err := api.ParseClientID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	page, err := s.Store.Events(ctx, reqctx.Caller(ctx), oauthclient.EventsInput{
		ClientID:  id,
		PageSize:  int(req.GetPageSize()),
		PageToken: req.GetPageToken(),
	})
	if err != nil {
		return nil, err
	}
	resp := &clientsdv1.ListClientEventsResponse{NextPageToken: page.Next}
	for _, e := range page.Events {
		resp.Events = append(resp.Events, eventMessage(e))
	}
	return resp, nil
}

// kindPrefix precedes the domain's name of a kind of event in the message.
const kindPrefix = "CLIENT_EVENT_KIND_"

func eventMessage(e *oauthclient.Event) *clientsdv1.ClientEvent {
	return &clientsdv1.ClientEvent{
		Kind:           clientsdv1.ClientEventKind(clientsdv1.ClientEventKind_value[kindPrefix+strings.ToUpper(e.Kind.String())]),
		ClientId:       e.ClientID.String(),
		At:             timestamppb.New(e.At),
		SecretVersion:  e.SecretVersion,
		SecretReleased: e.SecretReleased,
		Actor: &clientsdv1.ClientEventActor{
			Issuer:       e.ActorIssuer,
			Subject:      e.ActorSubject,
			ClientId:     e.ActorClientID,
			Organisation: e.ActorOrganisation,
		},
		RequestId: e.RequestID,
		Address:   e.Address,
		Api:       e.API,
		Reason:    e.Reason,
	}
}
