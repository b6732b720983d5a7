package server

import (
	"context"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/server/call"
	"clientsd/server/oauthclient"
)

// secretsService is what we add to the mirrored contract.
type secretsService struct {
	clientsdv1connect.UnimplementedSecretsServiceHandler

	store *oauthclient.Store
}

// matchOnWire names the domain's matches.
var matchOnWire = map[oauthclient.Match]clientsdv1.SecretMatch{
	oauthclient.NoMatch:       clientsdv1.SecretMatch_SECRET_MATCH_UNSPECIFIED,
	oauthclient.MatchCurrent:  clientsdv1.SecretMatch_SECRET_MATCH_CURRENT,
	oauthclient.MatchPrevious: clientsdv1.SecretMatch_SECRET_MATCH_PREVIOUS,
}

// VerifySecret says whether a secret is valid for a client now.
func (s *secretsService) VerifySecret(ctx context.Context, req *clientsdv1.VerifySecretRequest) (*clientsdv1.VerifySecretResponse, error) {
	id, err := parseID(req.GetClientId())
	if err != nil {
		return nil, err
	}
	match, version, err := s.store.Verify(ctx, call.Caller(ctx, face), id, req.GetSecret())
	if err != nil {
		return nil, err
	}
	return &clientsdv1.VerifySecretResponse{
		Valid:         match != oauthclient.NoMatch,
		Matched:       matchOnWire[match],
		SecretVersion: version,
	}, nil
}
