package contract_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestListClients_PageTokenOfAnotherQuery(t *testing.T) {
	s, elsewhere := servertest.Start(t), servertest.Start(t, servertest.OwnKeys(t))
	register(t, s, 2, "app")
	register(t, elsewhere, 2, "app")
	good := s.NextPageToken(t, &apiv1.ListClientsRequest{PageSize: proto.Int32(1)})
	acme := s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"})
	mine := s.Token(t, servertest.All...)
	for name, tt := range map[string]struct{ caller, application, page string }{
		"in another organisation": {acme, "", good},
		"for an application":      {mine, "app", good},
		"for all clients":         {mine, "", s.NextPageToken(t, &apiv1.ListClientsRequest{PageSize: proto.Int32(1), ApplicationId: proto.String("app")})},
		"of another server":       {mine, "", elsewhere.NextPageToken(t, &apiv1.ListClientsRequest{PageSize: proto.Int32(1)})},
		"garbage":                 {mine, "", "next"},
		"a client id":             {mine, "", uuid.NewString()},
		"of the longest kind":     {mine, "", strings.Repeat("A", 512)},
		"cut short":               {mine, "", good[:len(good)-4]},
		"cut to nothing much":     {mine, "", good[:2]},
		"with one bit changed":    {mine, "", swapCase(good)},
		"with padding":            {mine, "", good + "="},
		"with something behind":   {mine, "", good + "AAAA"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Clients(servertest.ConnectJSON, tt.caller).ListClients(t.Context(),
				&apiv1.ListClientsRequest{ApplicationId: &tt.application, PageToken: &tt.page})
			servertest.WantError(t, err, connect.CodeInvalidArgument, "validation error: pageToken: must be a nextPageToken of the same query")
			servertest.WantViolations(t, err, "page_token")
		})
	}
}

// swapCase changes the case of the first letter of a text.
func swapCase(text string) string {
	i := strings.IndexFunc(text, func(r rune) bool { return r >= 'A' })
	changed := []byte(text)
	changed[i] ^= 'a' ^ 'A'
	return string(changed)
}

func TestListClients_PageSize(t *testing.T) {
	s := servertest.Start(t)
	for name, tt := range map[string]struct {
		request *apiv1.ListClientsRequest
		field   string
	}{
		"a page of less than nothing":         {&apiv1.ListClientsRequest{PageSize: proto.Int32(-1)}, "page_size"},
		"a page of 1001":                      {&apiv1.ListClientsRequest{PageSize: proto.Int32(1001)}, "page_size"},
		"a page token of 513 characters":      {&apiv1.ListClientsRequest{PageToken: proto.String(strings.Repeat("A", 513))}, "page_token"},
		"an application of 129 characters":    {&apiv1.ListClientsRequest{ApplicationId: proto.String(wide(129))}, "application_id"},
		"an application with a line break":    {&apiv1.ListClientsRequest{ApplicationId: proto.String("app\n")}, "application_id"},
		"an application with the character 0": {&apiv1.ListClientsRequest{ApplicationId: proto.String("app\x00")}, "application_id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ClientsService(t).ListClients(t.Context(), tt.request)
			servertest.WantViolations(t, err, tt.field)
		})
	}
}
