// Package zitadel serves the method of ZITADEL's management API that rotates a
// client's secret, over gRPC, gRPC-Web, Connect and REST. A caller of ZITADEL
// changes only the host.
//
// It owns ZITADEL's paths, messages and errors. It rotates through the domain and
// must not know the database or another API.
package zitadel

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	managementv1 "clientsd/gen/go/zitadel/management/v1"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
	zitadelv1 "clientsd/gen/go/zitadel/v1"
	"clientsd/server/api"
	"clientsd/server/auth"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
)

// OrganisationHeader names the organisation to act in: an HTTP header, and
// metadata of gRPC.
const OrganisationHeader = "X-Zitadel-Orgid"

// Service implements the part of zitadel.management.v1.ManagementService that is
// served.
type Service struct {
	managementv1connect.UnimplementedManagementServiceHandler

	// Store is the domain.
	Store *oauthclient.Store
}

// RegenerateOIDCClientSecret rotates the secret of a client of the project. The
// secret is always in the answer.
//
// Errors: those of [oauthclient.Store.Rotate]; an [auth.ScopeError] if the
// metadata names an organisation that the caller may not act in.
func (s *Service) RegenerateOIDCClientSecret(
	ctx context.Context, req *managementv1.RegenerateOIDCClientSecretRequest,
) (*managementv1.RegenerateOIDCClientSecretResponse, error) {
	caller, err := actingCaller(ctx)
	if err != nil {
		return nil, err
	}
	id, err := api.ParseClientID(req.GetAppId()) // no client here has an id of ZITADEL's own
	if err != nil {
		return nil, err
	}
	key, err := reqctx.IdempotencyKeyOf(ctx)
	if err != nil {
		return nil, err
	}
	record, err := s.Store.Rotate(ctx, caller, oauthclient.RotateInput{
		ClientID:      id,
		ApplicationID: req.GetProjectId(),
		IncludeSecret: true,
		Key:           key,
	})
	if err != nil {
		return nil, err
	}
	reqctx.SetSecretReleased(ctx)
	return &managementv1.RegenerateOIDCClientSecretResponse{
		ClientSecret: record.Secret.Reveal(),
		Details: &zitadelv1.ObjectDetails{
			Sequence:      uint64(record.Revision), //nolint:gosec // counts up from 1
			CreationDate:  milliseconds(record.CreatedAt),
			ChangeDate:    milliseconds(record.UpdatedAt),
			ResourceOwner: record.Organisation,
		},
	}, nil
}

// actingCaller returns the caller in the organisation that the metadata names: the
// caller's own, or any for an admin.
func actingCaller(ctx context.Context) (oauthclient.Caller, error) {
	caller := reqctx.Caller(ctx)
	info, ok := connect.CallInfoForHandlerContext(ctx)
	if !ok {
		return caller, nil
	}
	named := info.RequestHeader().Get(OrganisationHeader)
	if named == "" || named == caller.Organisation {
		return caller, nil
	}
	if !caller.Admin {
		principal, _ := auth.PrincipalFrom(ctx)
		return caller, auth.NewScopeError(principal, []string{auth.ScopeAdmin})
	}
	return caller.In(named), nil
}

// milliseconds converts a time as ZITADEL does.
func milliseconds(t time.Time) *timestamppb.Timestamp {
	return timestamppb.New(t.Truncate(time.Millisecond))
}
