package server

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/logo"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
)

// xeonrAPI names the mirrored ClientsService in events.
const xeonrAPI = "xeonr"

// publicCaching lets caches keep what everyone may know for a minute.
const publicCaching = "public, max-age=60"

// clientsService is the mirrored contract: convert, call the domain, convert.
// Interceptors have checked scopes and message rules before a handler runs.
type clientsService struct {
	apiv1connect.UnimplementedClientsServiceHandler

	store   *oauthclient.Store
	logos   logos
	answers answers
	turns   logo.Turns // to work on an image
}

func newClientsService(store *oauthclient.Store, url string, answers answers) *clientsService {
	return &clientsService{store: store, logos: logos{base: url}, answers: answers}
}

// RegenerateSecret rotates a client's secret.
func (s *clientsService) RegenerateSecret(ctx context.Context, req *apiv1.RegenerateSecretRequest) (*apiv1.Client, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	key, err := reqctx.IdempotencyKeyOf(ctx)
	if err != nil {
		return nil, err
	}
	record, err := s.store.Rotate(ctx, reqctx.Caller(ctx, xeonrAPI), oauthclient.RotateInput{
		ClientID:        id,
		IncludeSecret:   req.GetIncludeSecret(),
		Overlap:         req.GetPreviousSecretValidFor().AsDuration(),
		ExpectedVersion: req.GetExpectedSecretVersion(),
		Reason:          req.GetReason(),
		Key:             key,
	})
	if err != nil {
		return nil, err
	}
	return s.record(record)
}

// CreateClient registers a client.
func (s *clientsService) CreateClient(ctx context.Context, req *apiv1.CreateClientRequest) (*apiv1.CreateClientResponse, error) {
	input, err := createInput(req)
	if err != nil {
		return nil, err
	}
	if input.Key, err = reqctx.IdempotencyKeyOf(ctx); err != nil {
		return nil, err
	}
	record, err := s.store.Create(ctx, reqctx.Caller(ctx, xeonrAPI), input)
	if err != nil {
		return nil, err
	}
	message, err := s.record(record)
	return &apiv1.CreateClientResponse{Client: message}, err
}

// GetClient returns a client, with its secret if the request asks for it.
func (s *clientsService) GetClient(ctx context.Context, req *apiv1.GetClientRequest) (*apiv1.GetClientResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	if !req.GetIncludeSecret() {
		return s.getWithoutSecret(ctx, reqctx.Caller(ctx, xeonrAPI), id)
	}
	record, err := s.store.GetWithSecret(ctx, reqctx.Caller(ctx, xeonrAPI), id)
	if err != nil {
		return nil, err
	}
	message, err := s.record(record)
	return &apiv1.GetClientResponse{Client: message}, err
}

// getWithoutSecret answers what it has answered before if the client is still in
// the state it was in then.
func (s *clientsService) getWithoutSecret(ctx context.Context, caller oauthclient.Caller, id uuid.UUID) (*apiv1.GetClientResponse, error) {
	state, err := s.store.State(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	if known := s.answers.get(id.String(), state); known != nil {
		return known, nil
	}
	record, err := s.store.Get(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	message, err := s.record(record)
	if err != nil {
		return nil, err
	}
	answer := &apiv1.GetClientResponse{Client: message}
	s.answers.add(record.State(), answer)
	return answer, nil
}

// ListClients returns clients of the caller's organisation.
func (s *clientsService) ListClients(ctx context.Context, req *apiv1.ListClientsRequest) (*apiv1.ListClientsResponse, error) {
	page, err := s.store.List(ctx, reqctx.Caller(ctx, xeonrAPI), oauthclient.ListInput{
		ApplicationID: req.GetApplicationId(),
		PageSize:      int(req.GetPageSize()),
		PageToken:     req.GetPageToken(),
	})
	if err != nil {
		return nil, err
	}
	answer := &apiv1.ListClientsResponse{Clients: make([]*apiv1.Client, len(page.Clients))}
	for i, row := range page.Clients {
		if answer.Clients[i], err = s.record(oauthclient.Record{Client: row}); err != nil {
			return nil, err
		}
	}
	if page.Next != "" {
		answer.NextPageToken = &page.Next
	}
	return answer, nil
}

// UpdateClient changes a client.
func (s *clientsService) UpdateClient(ctx context.Context, req *apiv1.UpdateClientRequest) (*apiv1.UpdateClientResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	input, err := s.updateInput(req)
	if err != nil {
		return nil, err
	}
	record, err := s.store.Update(ctx, reqctx.Caller(ctx, xeonrAPI), id, input)
	if err != nil {
		return nil, err
	}
	message, err := s.record(record)
	return &apiv1.UpdateClientResponse{Client: message}, err
}

// DeleteClient deletes a client for good.
func (s *clientsService) DeleteClient(ctx context.Context, req *apiv1.DeleteClientRequest) (*apiv1.DeleteClientResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteClientResponse{}, s.store.Delete(ctx, reqctx.Caller(ctx, xeonrAPI), id)
}

// UploadClientLogo keeps our own encoding of an image.
func (s *clientsService) UploadClientLogo(ctx context.Context, req *apiv1.UploadClientLogoRequest) (*apiv1.UploadClientLogoResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	png, err := s.encode(ctx, req)
	if err != nil {
		return nil, err
	}
	set, err := s.store.SetLogo(ctx, reqctx.Caller(ctx, xeonrAPI), id, png, logo.Hash(png))
	if err != nil {
		return nil, err
	}
	return &apiv1.UploadClientLogoResponse{LogoUrl: s.logos.location(set)}, nil
}

// encode waits for its organisation's turn, but not beyond the call's deadline.
func (s *clientsService) encode(ctx context.Context, req *apiv1.UploadClientLogoRequest) ([]byte, error) {
	end, err := s.turns.Take(ctx, reqctx.Caller(ctx, xeonrAPI).TokenOrganisation)
	if err != nil {
		return nil, err
	}
	defer end()
	png, err := logo.Encode(req.GetLogoData(), req.GetContentType())
	var refused *logo.Error
	if errors.As(err, &refused) {
		return nil, logoViolation(refused)
	}
	return png, err
}

// GetPublicClients returns what anyone may know of the named clients.
func (s *clientsService) GetPublicClients(ctx context.Context, req *apiv1.GetPublicClientsRequest) (*apiv1.GetPublicClientsResponse, error) {
	ids := make([]uuid.UUID, len(req.GetClientId()))
	for i, text := range req.GetClientId() {
		var err error
		if ids[i], err = parseID(text); err != nil {
			return nil, err
		}
	}
	rows, err := s.store.Public(ctx, ids)
	if err != nil {
		return nil, err
	}
	answer := &apiv1.GetPublicClientsResponse{Clients: make(map[string]*apiv1.PublicClient, len(rows))}
	for _, row := range rows {
		if answer.Clients[row.ID.String()], err = s.publicRecord(row); err != nil {
			return nil, err
		}
	}
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok && info.HTTPMethod() == http.MethodGet {
		info.ResponseHeader().Set("Cache-Control", publicCaching)
	}
	return answer, nil
}

// parseID reads an id that the message rules have accepted already; what they
// might let through beyond that is invalid too, never internal.
func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, oauthclient.NewInvalid(oauthclient.Violation{
			Field: "client_id", Rule: "string.uuid", Message: "must be a UUID",
		})
	}
	return id, nil
}
