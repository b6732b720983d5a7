// Package xeonr serves xeonr.auth.api.v1.ClientsService, the mirrored contract.
//
// It owns what the contract adds to the domain: the conversion of messages, the
// update mask, and the URLs of logos. Its methods convert, call the domain and
// convert back. It must not know the database, and it need not check scopes or
// message rules: both are checked before a method runs.
package xeonr

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/api"
	"clientsd/server/logo"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
	"clientsd/server/turns"
)

const (
	// UploadLimit bounds the message of UploadClientLogo, in bytes. It leaves room
	// for a logo of 2 MiB in the base64 of JSON.
	UploadLimit = 2<<20*4/3 + 64<<10

	// publicCaching lets caches keep for a minute what everyone may know.
	publicCaching = "public, max-age=60"
)

// Service implements the contract.
type Service struct {
	apiv1connect.UnimplementedClientsServiceHandler

	store *oauthclient.Store
	logos logos
	turns *turns.Queue // one place to work on an image
	// lists has places to put large lists together: one for an organisation, two in
	// all. Callers without a token have one place of their own, public.
	lists, public *turns.Queue
}

// NewService returns a Service. Its logo URLs begin with url.
func NewService(store *oauthclient.Store, url string) *Service {
	return &Service{store: store, logos: logos{base: url}, turns: turns.New(1), lists: turns.New(2), public: turns.New(1)}
}

// RegenerateSecret rotates a client's secret.
func (s *Service) RegenerateSecret(ctx context.Context, req *apiv1.RegenerateSecretRequest) (*apiv1.Client, error) {
	id, err := api.ParseClientID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	key, err := reqctx.IdempotencyKeyOf(ctx)
	if err != nil {
		return nil, err
	}
	record, err := s.store.Rotate(ctx, reqctx.Caller(ctx), oauthclient.RotateInput{
		ClientID:        id,
		IncludeSecret:   req.GetIncludeSecret(),
		Overlap:         req.GetPreviousSecretValidFor().AsDuration(),
		ReplacePrevious: req.GetReplacePrevious(),
		ExpectedVersion: req.GetExpectedSecretVersion(),
		Reason:          req.GetReason(),
		Key:             key,
	})
	if err != nil {
		return nil, err
	}
	return s.toMessage(ctx, record)
}

// CreateClient registers a client.
func (s *Service) CreateClient(ctx context.Context, req *apiv1.CreateClientRequest) (*apiv1.CreateClientResponse, error) {
	input, err := createInput(req)
	if err != nil {
		return nil, err
	}
	if input.Key, err = reqctx.IdempotencyKeyOf(ctx); err != nil {
		return nil, err
	}
	record, err := s.store.Create(ctx, reqctx.Caller(ctx), input)
	if err != nil {
		return nil, err
	}
	message, err := s.toMessage(ctx, record)
	return &apiv1.CreateClientResponse{Client: message}, err
}

// GetClient returns a client, with its secret if the request asks for it.
func (s *Service) GetClient(ctx context.Context, req *apiv1.GetClientRequest) (*apiv1.GetClientResponse, error) {
	id, err := api.ParseClientID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	get := s.store.Get
	if req.GetIncludeSecret() {
		get = s.store.GetWithSecret
	}
	record, err := get(ctx, reqctx.Caller(ctx), id)
	if err != nil {
		return nil, err
	}
	message, err := s.toMessage(ctx, record)
	return &apiv1.GetClientResponse{Client: message}, err
}

// ListClients returns clients of the caller's organisation.
func (s *Service) ListClients(ctx context.Context, req *apiv1.ListClientsRequest) (*apiv1.ListClientsResponse, error) {
	list, err := s.store.List(ctx, reqctx.Caller(ctx), oauthclient.ListInput{
		ApplicationID: req.GetApplicationId(),
		PageSize:      int(req.GetPageSize()),
		PageToken:     req.GetPageToken(),
	})
	if err != nil {
		return nil, err
	}
	page, err := read(ctx, s.lists, list)
	if err != nil {
		return nil, err
	}
	resp := &apiv1.ListClientsResponse{Clients: make([]*apiv1.Client, len(page.Clients))}
	for i, row := range page.Clients {
		if resp.Clients[i], err = s.toMessage(ctx, oauthclient.Record{Client: row}); err != nil {
			return nil, err
		}
	}
	if page.Next != "" {
		resp.NextPageToken = &page.Next
	}
	return resp, nil
}

// read reads a list. A large one waits for a place, which it has until its answer is
// put together.
func read(ctx context.Context, places *turns.Queue, list *oauthclient.List) (oauthclient.Page, error) {
	if list.IsLarge {
		end, err := places.Take(ctx, reqctx.Caller(ctx).TokenOrganisation)
		if err != nil {
			return oauthclient.Page{}, err
		}
		reqctx.OnAnswer(ctx, end)
	}
	return list.Read(ctx)
}

// UpdateClient changes a client.
func (s *Service) UpdateClient(ctx context.Context, req *apiv1.UpdateClientRequest) (*apiv1.UpdateClientResponse, error) {
	id, err := api.ParseClientID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	input, err := s.updateInput(req)
	if err != nil {
		return nil, err
	}
	record, err := s.store.Update(ctx, reqctx.Caller(ctx), id, input)
	if err != nil {
		return nil, err
	}
	message, err := s.toMessage(ctx, record)
	return &apiv1.UpdateClientResponse{Client: message}, err
}

// DeleteClient deletes a client for good.
func (s *Service) DeleteClient(ctx context.Context, req *apiv1.DeleteClientRequest) (*apiv1.DeleteClientResponse, error) {
	id, err := api.ParseClientID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	return &apiv1.DeleteClientResponse{}, s.store.Delete(ctx, reqctx.Caller(ctx), id)
}

// UploadClientLogo stores a PNG that the server has encoded from the image.
func (s *Service) UploadClientLogo(ctx context.Context, req *apiv1.UploadClientLogoRequest) (*apiv1.UploadClientLogoResponse, error) {
	id, err := api.ParseClientID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	png, err := s.encode(ctx, req)
	if err != nil {
		return nil, err
	}
	set, err := s.store.SetLogo(ctx, reqctx.Caller(ctx), id, png, logo.Hash(png))
	if err != nil {
		return nil, err
	}
	return &apiv1.UploadClientLogoResponse{LogoUrl: s.logos.location(set)}, nil
}

// encode waits for its organisation's turn, but not beyond the call's deadline.
func (s *Service) encode(ctx context.Context, req *apiv1.UploadClientLogoRequest) ([]byte, error) {
	end, err := s.turns.Take(ctx, reqctx.Caller(ctx).TokenOrganisation)
	if err != nil {
		return nil, err
	}
	defer end()
	png, err := logo.Encode(req.GetLogoData(), req.GetContentType())
	var refused *logo.Error
	if errors.As(err, &refused) {
		return nil, oauthclient.NewInvalid(oauthclient.Violation{Field: refused.Field, Rule: refused.Rule, Message: refused.Message})
	}
	return png, err
}

// GetPublicClients returns what anyone may know of the named clients.
func (s *Service) GetPublicClients(ctx context.Context, req *apiv1.GetPublicClientsRequest) (*apiv1.GetPublicClientsResponse, error) {
	ids := make([]uuid.UUID, len(req.GetClientId()))
	for i, text := range req.GetClientId() {
		var err error
		if ids[i], err = api.ParseClientID(text); err != nil {
			return nil, err
		}
	}
	list, err := s.store.Public(ctx, ids)
	if err != nil {
		return nil, err
	}
	page, err := read(ctx, s.public, list)
	if err != nil {
		return nil, err
	}
	resp := &apiv1.GetPublicClientsResponse{Clients: make(map[string]*apiv1.PublicClient, len(page.Clients))}
	for _, row := range page.Clients {
		if resp.Clients[row.ID.String()], err = s.toPublicMessage(row); err != nil {
			return nil, err
		}
	}
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok && info.HTTPMethod() == http.MethodGet {
		info.ResponseHeader().Set("Cache-Control", publicCaching)
	}
	return resp, nil
}
