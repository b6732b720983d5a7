package xeonr

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
)

// toMessage converts a client. Here a secret becomes text again, and only if the
// domain released it.
func (s *Service) toMessage(ctx context.Context, r oauthclient.Record) (*apiv1.Client, error) {
	bindings, err := bindingMessages(r.ApplicationBindings)
	if err != nil {
		return nil, err
	}
	message := &apiv1.Client{
		ClientId:                          r.ID.String(),
		Name:                              r.Name,
		RedirectUri:                       r.RedirectURI,
		SupportsRefreshToken:              r.SupportsRefreshToken,
		SupportsImplicitGrant:             r.SupportsImplicitGrant,
		SupportsDeviceCodeGrant:           r.SupportsDeviceCodeGrant,
		SupportsCodeGrant:                 r.SupportsCodeGrant,
		WebsiteUrl:                        r.WebsiteURL,
		CreatedAt:                         timestamppb.New(r.CreatedAt),
		UpdatedAt:                         timestamppb.New(r.UpdatedAt),
		Description:                       r.Description,
		IsVerified:                        r.IsVerified,
		ApplicationId:                     r.ApplicationID,
		UsesManagedBuckets:                r.UsesManagedBuckets,
		ApplicationBindings:               bindings,
		AllowedDelegators:                 r.AllowedDelegators,
		LogoUrl:                           s.logos.url(r.Client),
		BackchannelLogoutUri:              r.BackchannelLogoutURI,
		BackchannelLogoutSessionRequired:  r.BackchannelLogoutSessionRequired,
		FrontchannelLogoutUri:             r.FrontchannelLogoutURI,
		FrontchannelLogoutSessionRequired: r.FrontchannelLogoutSessionRequired,
		PostLogoutRedirectUris:            r.PostLogoutRedirectUris,
		SecretCreatedAt:                   timestamp(r.SecretCreatedAt),
		PreviousSecretExpiresAt:           timestamp(r.PreviousSecretExpiresAt),
		PreviousSecretLastUsedAt:          timestamp(r.PreviousSecretLastUsedAt),
	}
	if r.HasSecret {
		message.SecretVersion = &r.SecretVersion
	}
	if !r.Secret.IsZero() {
		reqctx.SetSecretReleased(ctx)
		text := r.Secret.Reveal()
		message.ClientSecret = &text
	}
	return message, nil
}

// timestamp converts a time that may be absent.
func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

// toPublicMessage converts what anyone may know of a client.
func (s *Service) toPublicMessage(row *oauthclient.Client) (*apiv1.PublicClient, error) {
	bindings, err := bindingMessages(row.ApplicationBindings)
	return &apiv1.PublicClient{
		ClientId:            row.ID.String(),
		Name:                row.Name,
		WebsiteUrl:          row.WebsiteURL,
		LogoUrl:             s.logos.url(row),
		Description:         row.Description,
		IsVerified:          strconv.FormatBool(row.IsVerified),
		CreatedAt:           timestamppb.New(row.CreatedAt),
		ApplicationBindings: bindings,
	}, err
}

func bindingMessages(list []oauthclient.Binding) ([]*apiv1.ApplicationBinding, error) {
	messages := make([]*apiv1.ApplicationBinding, len(list))
	for i, b := range list {
		messages[i] = &apiv1.ApplicationBinding{ApplicationId: b.ApplicationID}
		if !b.HasConfig {
			continue
		}
		messages[i].Config = &apiv1.ApplicationBindingConfig{}
		if b.JSONConfig == nil {
			continue
		}
		config, err := structpb.NewStruct(b.JSONConfig)
		if err != nil {
			return nil, err
		}
		messages[i].Config.JsonConfig = config
	}
	return messages, nil
}

// parseBindings refuses what a Struct can hold but JSON cannot: NaN and the
// infinities, and values without a kind.
func parseBindings(messages []*apiv1.ApplicationBinding) ([]oauthclient.Binding, error) {
	list := make([]oauthclient.Binding, len(messages))
	for i, m := range messages {
		list[i] = oauthclient.Binding{ApplicationID: m.GetApplicationId(), HasConfig: m.GetConfig() != nil}
		if m.GetConfig().GetJsonConfig() == nil {
			continue
		}
		if _, err := protojson.Marshal(m.GetConfig().GetJsonConfig()); err != nil {
			return nil, oauthclient.NewInvalid(oauthclient.Violation{
				Field:   "application_bindings[" + strconv.Itoa(i) + "].config.json_config",
				Rule:    "json",
				Message: "must be a JSON object: NaN, infinities and values without a kind are not JSON",
			})
		}
		list[i].JSONConfig = m.GetConfig().GetJsonConfig().AsMap()
	}
	return list, nil
}

func createInput(req *apiv1.CreateClientRequest) (oauthclient.CreateInput, error) {
	bindings, err := parseBindings(req.GetApplicationBindings())
	return oauthclient.CreateInput{
		Confidential:                      req.GetHasSecret(),
		Name:                              req.GetName(),
		RedirectURI:                       req.GetRedirectUri(),
		WebsiteURL:                        req.GetWebsiteUrl(),
		Description:                       req.GetDescription(),
		RefreshToken:                      req.GetSupportsRefreshToken(),
		Implicit:                          req.GetSupportsImplicitGrant(),
		DeviceCode:                        req.GetSupportsDeviceCodeGrant(),
		Code:                              req.GetSupportsCodeGrant(),
		ManagedBuckets:                    req.GetUsesManagedBuckets(),
		ApplicationID:                     req.GetApplicationId(),
		Bindings:                          bindings,
		AllowedDelegators:                 req.GetAllowedDelegators(),
		BackchannelLogoutURI:              req.GetBackchannelLogoutUri(),
		BackchannelLogoutSessionRequired:  req.GetBackchannelLogoutSessionRequired(),
		FrontchannelLogoutURI:             req.GetFrontchannelLogoutUri(),
		FrontchannelLogoutSessionRequired: req.GetFrontchannelLogoutSessionRequired(),
		PostLogoutRedirectURIs:            req.GetPostLogoutRedirectUris(),
		Verified:                          req.GetIsVerified(),
	}, err
}
