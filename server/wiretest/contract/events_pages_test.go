package contract_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

// listEvents asks for events in a call that must succeed.
func listEvents(t testing.TB, s *servertest.Server, p servertest.Protocol, token string, request *clientsdv1.ListClientEventsRequest) *clientsdv1.ListClientEventsResponse {
	t.Helper()
	answer, err := s.Secrets(p, token).ListClientEvents(t.Context(), request)
	if err != nil {
		t.Fatalf("list client events: %v", err)
	}
	return answer
}

func TestListClientEvents_Pages(t *testing.T) {
	const total = 101
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeManage, servertest.ScopeRead)
	id := s.Create(t, servertest.Request()).GetClientId()
	for range total - 1 {
		s.Rotate(t, id)
	}
	all := listEvents(t, s, servertest.ConnectJSON, token, &clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: 1000}).GetEvents()
	for name, tt := range map[string]struct {
		size  int32
		pages []int
	}{
		"as many as a page has unless told": {0, []int{100, 1}},
		"several pages":                     {40, []int{40, 40, 21}},
		"all but one":                       {total - 1, []int{total - 1, 1}},
		"exactly all":                       {total, []int{total}},
	} {
		t.Run(name, func(t *testing.T) {
			servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
				var got []*clientsdv1.ClientEvent
				var sizes []int
				request := &clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: tt.size}
				for more := true; more && len(sizes) < total; more = request.GetPageToken() != "" {
					page := listEvents(t, s, protocol, token, request)
					got, sizes = append(got, page.GetEvents()...), append(sizes, len(page.GetEvents()))
					request.PageToken = page.GetNextPageToken()
				}
				if diff := cmp.Diff(tt.pages, sizes); diff != "" {
					t.Errorf("sizes of the pages (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(all, got, protocmp.Transform()); diff != "" {
					t.Errorf("the pages together (-want +got):\n%s", diff)
				}
			})
		})
	}
	first := listEvents(t, s, servertest.ConnectJSON, token, &clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: 3})
	s.Rotate(t, id)
	second := listEvents(t, s, servertest.ConnectJSON, token, &clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: 3, PageToken: first.GetNextPageToken()})
	if diff := cmp.Diff(all[3:6], second.GetEvents(), protocmp.Transform()); diff != "" {
		t.Errorf("the second page after a new event (-want +got):\n%s", diff)
	}
}

func TestListClientEvents_PageTokenOfAnother(t *testing.T) {
	s := servertest.Start(t)
	token, elsewhere := s.Token(t, servertest.ScopeRead), s.Mint(t, issuer.Grant{Scopes: []string{servertest.ScopeRead}, Organisation: "other"})
	id, other := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.Request()).GetClientId()
	s.Rotate(t, id)
	good := listEvents(t, s, servertest.ConnectJSON, token, &clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: 1}).GetNextPageToken()
	clients, err := s.Clients(servertest.ConnectJSON, token).ListClients(t.Context(), &apiv1.ListClientsRequest{PageSize: proto.Int32(1)})
	if err != nil || good == "" || clients.GetNextPageToken() == "" {
		t.Fatalf("there is no next page: token %q, error %v", good, err)
	}
	for name, tt := range map[string]struct{ token, id, page string }{
		"another client":         {token, other, good},
		"another organisation":   {elsewhere, id, good},
		"a token of ListClients": {token, id, clients.GetNextPageToken()},
		"a changed byte":         {token, id, servertest.ChangeByte(good, len(good)/2)},
		"half of it":             {token, id, good[:len(good)/2]},
		"padding behind it":      {token, id, good + "="},
		"not base64":             {token, id, "' OR 1=1 --"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Secrets(servertest.ConnectJSON, tt.token).ListClientEvents(t.Context(),
				&clientsdv1.ListClientEventsRequest{ClientId: tt.id, PageSize: 1, PageToken: tt.page})
			servertest.WantError(t, err, connect.CodeInvalidArgument, "validation error: pageToken: must be a nextPageToken of the same query")
			servertest.WantViolations(t, err, "page_token")
		})
	}
	// The size of the page may change on the way.
	rest := listEvents(t, s, servertest.ConnectJSON, token, &clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: 2, PageToken: good})
	if len(rest.GetEvents()) != 1 || rest.GetEvents()[0].GetKind() != created || rest.GetNextPageToken() != "" {
		t.Errorf("got the second page %v", rest)
	}
}

func TestListClientEvents_InvalidRequests(t *testing.T) {
	s := servertest.Start(t)
	token, id := s.Token(t, servertest.ScopeRead), uuid.NewString()
	for name, tt := range map[string]struct {
		request *clientsdv1.ListClientEventsRequest
		field   string
	}{
		"no client":                      {&clientsdv1.ListClientEventsRequest{}, "client_id"},
		"a client that is no UUID":       {&clientsdv1.ListClientEventsRequest{ClientId: "%"}, "client_id"},
		"a page of -1":                   {&clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: -1}, "page_size"},
		"a page of 1001":                 {&clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: 1001}, "page_size"},
		"a page token of 513 characters": {&clientsdv1.ListClientEventsRequest{ClientId: id, PageToken: strings.Repeat("A", 513)}, "page_token"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Secrets(servertest.ConnectJSON, token).ListClientEvents(t.Context(), tt.request)
			servertest.WantViolations(t, err, tt.field)
		})
	}
}

func TestListClientEvents_OtherOrganisation(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	elsewhere := s.Mint(t, issuer.Grant{Scopes: append([]string{servertest.ScopeAdmin}, servertest.All...), Organisation: "other"})
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		foreign := listEvents(t, s, protocol, elsewhere, &clientsdv1.ListClientEventsRequest{ClientId: id})
		missing := listEvents(t, s, protocol, elsewhere, &clientsdv1.ListClientEventsRequest{ClientId: uuid.NewString()})
		for name, got := range map[string]proto.Message{"another organisation's client": foreign, "a client that never was": missing} {
			if diff := cmp.Diff(&clientsdv1.ListClientEventsResponse{}, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}
