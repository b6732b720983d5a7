package server

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/server/abuse"
	"clientsd/server/auth"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
)

// ownAPI names our own service in events.
const ownAPI = "clientsd"

// secretsService is what we add to the mirrored contract.
type secretsService struct {
	clientsdv1connect.UnimplementedSecretsServiceHandler

	store    *oauthclient.Store
	failures *abuse.Throttle
	matched  func(oauthclient.Match) // counts
}

// errTooManyFailures answers a wrong secret after too many. A right one is never
// answered so: nobody locks a client out by guessing.
var errTooManyFailures = errors.New("too many wrong secrets: wait before the next")

// matchOnWire names the domain's matches.
var matchOnWire = map[oauthclient.Match]clientsdv1.SecretMatch{
	oauthclient.NoMatch:       clientsdv1.SecretMatch_SECRET_MATCH_NONE,
	oauthclient.MatchCurrent:  clientsdv1.SecretMatch_SECRET_MATCH_CURRENT,
	oauthclient.MatchPrevious: clientsdv1.SecretMatch_SECRET_MATCH_PREVIOUS,
}

// VerifySecret says whether a secret is valid for a client now.
func (s *secretsService) VerifySecret(ctx context.Context, req *clientsdv1.VerifySecretRequest) (*clientsdv1.VerifySecretResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	match, version, err := s.store.Verify(ctx, reqctx.Caller(ctx, ownAPI), id, req.GetSecret())
	if err != nil {
		return nil, err
	}
	s.matched(match)
	if match == oauthclient.NoMatch {
		if err := s.noteFailure(ctx, id); err != nil {
			return nil, err
		}
	}
	return &clientsdv1.VerifySecretResponse{
		Valid:         match != oauthclient.NoMatch,
		Matched:       matchOnWire[match],
		SecretVersion: version,
	}, nil
}

// noteFailure bounds the wrong secrets for a client and from an address, for
// each organisation alone: what one guesses, at clients of others too, is not
// counted against another that calls through the same address.
func (s *secretsService) noteFailure(ctx context.Context, id uuid.UUID) error {
	organisation := reqctx.Caller(ctx, ownAPI).Organisation
	wait := s.failures.Note(
		"secret of "+id.String()+" for "+organisation,
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
func (s *secretsService) RevokePreviousSecret(
	ctx context.Context, req *clientsdv1.RevokePreviousSecretRequest,
) (*clientsdv1.RevokePreviousSecretResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	row, revoked, err := s.store.RevokePrevious(ctx, reqctx.Caller(ctx, ownAPI), id)
	if err != nil {
		return nil, err
	}
	return &clientsdv1.RevokePreviousSecretResponse{Revoked: revoked, SecretVersion: row.SecretVersion}, nil
}

// ListClientEvents returns what happened to a client.
func (s *secretsService) ListClientEvents(
	ctx context.Context, req *clientsdv1.ListClientEventsRequest,
) (*clientsdv1.ListClientEventsResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	page, err := s.store.Events(ctx, reqctx.Caller(ctx, ownAPI), oauthclient.EventsInput{
		ClientID:  id,
		PageSize:  int(req.GetPageSize()),
		PageToken: req.GetPageToken(),
	})
	if err != nil {
		return nil, err
	}
	answer := &clientsdv1.ListClientEventsResponse{NextPageToken: page.Next}
	for _, e := range page.Events {
		answer.Events = append(answer.Events, eventToWire(e))
	}
	return answer, nil
}

// kindOnWire begins the names of the kinds of event; the domain's follow.
const kindOnWire = "CLIENT_EVENT_KIND_"

func eventToWire(e *oauthclient.Event) *clientsdv1.ClientEvent {
	return &clientsdv1.ClientEvent{
		Kind:           clientsdv1.ClientEventKind(clientsdv1.ClientEventKind_value[kindOnWire+strings.ToUpper(e.Kind.String())]),
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
