package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
)

const schema = `
/xeonr.auth.api.v1.ClientsService/RegenerateSecret: RegenerateSecretRequest, Client
/xeonr.auth.api.v1.ClientsService/CreateClient: CreateClientRequest, CreateClientResponse
/xeonr.auth.api.v1.ClientsService/GetClient: GetClientRequest, GetClientResponse
/xeonr.auth.api.v1.ClientsService/ListClients: ListClientsRequest, ListClientsResponse
/xeonr.auth.api.v1.ClientsService/UpdateClient: UpdateClientRequest, UpdateClientResponse
/xeonr.auth.api.v1.ClientsService/DeleteClient: DeleteClientRequest, DeleteClientResponse
/xeonr.auth.api.v1.ClientsService/UploadClientLogo: UploadClientLogoRequest, UploadClientLogoResponse
/xeonr.auth.api.v1.ClientsService/GetPublicClients: GetPublicClientsRequest, GetPublicClientsResponse, NO_SIDE_EFFECTS
RegenerateSecretRequest 1 clientId: string
RegenerateSecretRequest 2 includeSecret: bool
RegenerateSecretRequest 100 previousSecretValidFor: Duration
RegenerateSecretRequest 101 expectedSecretVersion: optional int64
RegenerateSecretRequest 102 reason: optional string
CreateClientRequest 1 hasSecret: bool
CreateClientRequest 2 name: string
CreateClientRequest 3 redirectUri: string
CreateClientRequest 4 websiteUrl: string
CreateClientRequest 5 description: string
CreateClientRequest 6 supportsRefreshToken: bool
CreateClientRequest 7 supportsImplicitGrant: bool
CreateClientRequest 8 supportsDeviceCodeGrant: bool
CreateClientRequest 9 supportsCodeGrant: bool
CreateClientRequest 10 usesManagedBuckets: bool
CreateClientRequest 11 applicationId: optional string
CreateClientRequest 12 applicationBindings: repeated ApplicationBinding
CreateClientRequest 13 allowedDelegators: repeated string
CreateClientRequest 14 backchannelLogoutUri: optional string
CreateClientRequest 15 backchannelLogoutSessionRequired: bool
CreateClientRequest 16 frontchannelLogoutUri: optional string
CreateClientRequest 17 frontchannelLogoutSessionRequired: bool
CreateClientRequest 18 postLogoutRedirectUris: repeated string
CreateClientRequest 19 isVerified: bool
CreateClientResponse 1 Client: Client
GetClientRequest 1 clientId: string
GetClientRequest 2 includeSecret: bool
GetClientResponse 1 Client: Client
ListClientsRequest 1 applicationId: optional string
ListClientsRequest 100 pageSize: optional int32
ListClientsRequest 101 pageToken: optional string
ListClientsResponse 1 Clients: repeated Client
ListClientsResponse 100 nextPageToken: optional string
UpdateClientRequest 1 clientId: string
UpdateClientRequest 2 name: optional string
UpdateClientRequest 3 redirectUri: optional string
UpdateClientRequest 4 websiteUrl: optional string
UpdateClientRequest 5 description: optional string
UpdateClientRequest 6 supportsRefreshToken: optional bool
UpdateClientRequest 7 supportsImplicitGrant: optional bool
UpdateClientRequest 8 supportsDeviceCodeGrant: optional bool
UpdateClientRequest 9 supportsCodeGrant: optional bool
UpdateClientRequest 10 applicationBindings: repeated ApplicationBinding
UpdateClientRequest 11 allowedDelegators: repeated string
UpdateClientRequest 12 logoUrl: optional string
UpdateClientRequest 13 backchannelLogoutUri: optional string
UpdateClientRequest 14 backchannelLogoutSessionRequired: optional bool
UpdateClientRequest 15 frontchannelLogoutUri: optional string
UpdateClientRequest 16 frontchannelLogoutSessionRequired: optional bool
UpdateClientRequest 17 postLogoutRedirectUris: repeated string
UpdateClientRequest 18 isVerified: optional bool
UpdateClientRequest 19 updateMask: FieldMask
UpdateClientResponse 1 client: Client
DeleteClientRequest 1 clientId: string
UploadClientLogoRequest 1 clientId: string
UploadClientLogoRequest 2 logoData: bytes
UploadClientLogoRequest 3 contentType: string
UploadClientLogoResponse 1 logoUrl: string
GetPublicClientsRequest 1 clientId: repeated string
GetPublicClientsResponse 1 clients: map of PublicClient
Client 1 clientId: string
Client 2 clientSecret: optional string
Client 3 name: string
Client 4 redirectUri: string
Client 5 supportsRefreshToken: bool
Client 6 supportsImplicitGrant: bool
Client 7 supportsDeviceCodeGrant: bool
Client 8 supportsCodeGrant: bool
Client 9 websiteUrl: string
Client 10 createdAt: Timestamp
Client 11 updatedAt: Timestamp
Client 12 description: string
Client 13 isVerified: bool
Client 14 applicationId: optional string
Client 15 usesManagedBuckets: bool
Client 16 applicationBindings: repeated ApplicationBinding
Client 17 allowedDelegators: repeated string
Client 18 logoUrl: optional string
Client 19 backchannelLogoutUri: optional string
Client 20 backchannelLogoutSessionRequired: bool
Client 21 frontchannelLogoutUri: optional string
Client 22 frontchannelLogoutSessionRequired: bool
Client 23 postLogoutRedirectUris: repeated string
Client 100 secretVersion: optional int64
Client 101 secretCreatedAt: Timestamp
Client 102 previousSecretExpiresAt: Timestamp
Client 103 previousSecretLastUsedAt: Timestamp
PublicClient 1 clientId: string
PublicClient 2 name: string
PublicClient 3 websiteUrl: string
PublicClient 4 logoUrl: optional string
PublicClient 5 description: string
PublicClient 6 isVerified: string
PublicClient 7 createdAt: Timestamp
PublicClient 8 applicationBindings: repeated ApplicationBinding
ApplicationBinding 1 applicationId: string
ApplicationBinding 2 config: ApplicationBindingConfig
ApplicationBindingConfig 1 jsonConfig: Struct
/clientsd.v1.SecretsService/VerifySecret: VerifySecretRequest, VerifySecretResponse
/clientsd.v1.SecretsService/RevokePreviousSecret: RevokePreviousSecretRequest, RevokePreviousSecretResponse
/clientsd.v1.SecretsService/ListClientEvents: ListClientEventsRequest, ListClientEventsResponse
VerifySecretRequest 1 clientId: string
VerifySecretRequest 2 secret: string
VerifySecretResponse 1 valid: bool
VerifySecretResponse 2 matched: enum
VerifySecretResponse 3 secretVersion: int64
RevokePreviousSecretRequest 1 clientId: string
RevokePreviousSecretResponse 1 revoked: bool
RevokePreviousSecretResponse 2 secretVersion: int64
ListClientEventsRequest 1 clientId: string
ListClientEventsRequest 2 pageSize: int32
ListClientEventsRequest 3 pageToken: string
ListClientEventsResponse 1 events: repeated ClientEvent
ListClientEventsResponse 2 nextPageToken: string
ClientEvent 1 kind: enum
ClientEvent 2 clientId: string
ClientEvent 3 at: Timestamp
ClientEvent 4 secretVersion: int64
ClientEvent 5 secretReleased: bool
ClientEvent 6 actor: ClientEventActor
ClientEvent 7 requestId: string
ClientEvent 8 address: string
ClientEvent 9 face: string
ClientEvent 10 reason: string
ClientEventActor 1 issuer: string
ClientEventActor 2 subject: string
ClientEventActor 3 clientId: string
ClientEventActor 4 organisation: string
SecretMatch 0 SECRET_MATCH_UNSPECIFIED
SecretMatch 1 SECRET_MATCH_CURRENT
SecretMatch 2 SECRET_MATCH_PREVIOUS
ClientEventKind 0 CLIENT_EVENT_KIND_UNSPECIFIED
ClientEventKind 1 CLIENT_EVENT_KIND_CREATED
ClientEventKind 2 CLIENT_EVENT_KIND_UPDATED
ClientEventKind 3 CLIENT_EVENT_KIND_DELETED
ClientEventKind 4 CLIENT_EVENT_KIND_LOGO_UPLOADED
ClientEventKind 5 CLIENT_EVENT_KIND_SECRET_ROTATED
ClientEventKind 6 CLIENT_EVENT_KIND_SECRET_READ
ClientEventKind 7 CLIENT_EVENT_KIND_PREVIOUS_SECRET_REVOKED
`

// A field number or a JSON name that changes breaks every caller.
func TestSchemaIsWhatCallersKnow(t *testing.T) {
	var lines []string
	for _, file := range []protoreflect.FileDescriptor{
		apiv1.File_xeonr_auth_api_v1_clients_service_proto,
		apiv1.File_xeonr_auth_api_v1_clients_proto,
		clientsdv1.File_clientsd_v1_secrets_service_proto,
	} {
		for i := range file.Services().Len() {
			lines = append(lines, methodLines(file.Services().Get(i))...)
		}
		for i := range file.Messages().Len() {
			lines = append(lines, fieldLines(file.Messages().Get(i))...)
		}
		for i := range file.Enums().Len() {
			lines = append(lines, valueLines(file.Enums().Get(i))...)
		}
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(schema), "\n"), lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func methodLines(service protoreflect.ServiceDescriptor) (lines []string) {
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		line := fmt.Sprintf("/%s/%s: %s, %s", service.FullName(), m.Name(), m.Input().Name(), m.Output().Name())
		if options, ok := m.Options().(*descriptorpb.MethodOptions); ok && options.GetIdempotencyLevel() != 0 {
			line += ", " + options.GetIdempotencyLevel().String()
		}
		lines = append(lines, line)
	}
	return lines
}

func fieldLines(message protoreflect.MessageDescriptor) (lines []string) {
	for i := range message.Fields().Len() {
		f := message.Fields().Get(i)
		kind := f.Kind().String()
		switch {
		case f.IsMap():
			kind = "map of " + string(f.MapValue().Message().Name())
		case f.Message() != nil:
			kind = string(f.Message().Name())
		}
		if f.IsList() {
			kind = "repeated " + kind
		} else if f.HasOptionalKeyword() {
			kind = "optional " + kind
		}
		lines = append(lines, fmt.Sprintf("%s %d %s: %s", message.Name(), f.Number(), f.JSONName(), kind))
	}
	return lines
}

func valueLines(enum protoreflect.EnumDescriptor) (lines []string) {
	for i := range enum.Values().Len() {
		v := enum.Values().Get(i)
		lines = append(lines, fmt.Sprintf("%s %d %s", enum.Name(), v.Number(), v.Name()))
	}
	return lines
}
