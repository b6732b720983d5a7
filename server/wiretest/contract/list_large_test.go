package contract_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

// wantPageSizeRequired fails the test unless a list was refused because it has too
// many clients for one answer.
func wantPageSizeRequired(t *testing.T, err error, atMost string) {
	t.Helper()
	want := "page_size: must be set, up to 1000: without it an answer has at most " + atMost + " clients, and fewer if they are large"
	if err == nil || strings.ReplaceAll(err.Error(), "pageSize", "page_size") != "invalid_argument: validation error: "+want {
		t.Fatalf("got error %v, want %s", err, want)
	}
	servertest.WantViolations(t, err, "page_size")
	servertest.WantErrorInfo(t, err, &errdetails.ErrorInfo{Reason: "PAGE_SIZE_REQUIRED", Domain: "clientsd"})
}

func TestListClients_WithoutPageSizeIsBounded(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.MaxUnpagedList = 3 })
	three := register(t, s, 3, "three")
	register(t, s, 1, "one")
	token := s.Token(t, servertest.All...)
	other := s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "other"})
	s.CreateAs(t, other, servertest.Request())
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		clients := s.Clients(protocol, token)
		for name, request := range map[string]*apiv1.ListClientsRequest{"absent": {}, "zero": {PageSize: proto.Int32(0)}} {
			t.Run(name, func(t *testing.T) {
				_, err := clients.ListClients(t.Context(), request)
				wantPageSizeRequired(t, err, "3")
			})
		}
		for name, request := range map[string]*apiv1.ListClientsRequest{
			"an application":       {ApplicationId: proto.String("three")},
			"the rest of the list": {PageToken: proto.String(s.NextPageToken(t, &apiv1.ListClientsRequest{PageSize: proto.Int32(1)}))},
			"a page":               {PageSize: proto.Int32(1000)},
		} {
			t.Run(name, func(t *testing.T) {
				if answer, err := clients.ListClients(t.Context(), request); err != nil || len(answer.GetClients()) < 3 || answer.NextPageToken != nil {
					t.Errorf("got %d clients, error %v", len(answer.GetClients()), err)
				}
			})
		}
		if answer, err := s.Clients(protocol, other).ListClients(t.Context(), &apiv1.ListClientsRequest{}); err != nil || len(answer.GetClients()) != 1 {
			t.Errorf("another organisation: got %v, error %v", answer, err)
		}
	})
	for _, id := range three {
		if _, err := s.ClientsService(t).DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id}); err != nil {
			t.Fatal(err)
		}
	}
	if answer, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{}); err != nil || len(answer.GetClients()) != 1 {
		t.Errorf("after deletions: got %v, error %v", answer, err)
	}
}

func TestListClients_BoundIs5000(t *testing.T) {
	s := servertest.Start(t)
	s.Create(t, servertest.PublicRequest())
	copies := servertest.CopyStatement(s.Database(t).Dialect())
	s.Exec(t, copies, 4999)
	answer, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(answer.GetClients()) != 5000 {
		t.Fatalf("got %d clients, error %v", len(answer.GetClients()), err)
	}
	s.Exec(t, copies, 1)
	_, err = s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	wantPageSizeRequired(t, err, "5000")
}

// largeRequest describes a client that takes as much memory as one may.
func largeRequest(t *testing.T) *apiv1.CreateClientRequest {
	t.Helper()
	config, err := structpb.NewStruct(map[string]any{"x": slices.Repeat([]any{[]any{}}, 5400)})
	if err != nil {
		t.Fatal(err)
	}
	request := servertest.PublicRequest()
	request.ApplicationBindings = []*apiv1.ApplicationBinding{{ApplicationId: "a", Config: &apiv1.ApplicationBindingConfig{JsonConfig: config}}}
	return request
}

// A page has as many clients as the memory for one answer allows.
func TestListClients_LargeClientsMakeShortPages(t *testing.T) {
	const clients = 100
	s := servertest.Start(t, func(c *server.Config) { c.Timeout = time.Minute })
	s.Create(t, largeRequest(t))
	s.Exec(t, servertest.CopyStatement(s.Database(t).Dialect()), clients-1)
	_, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	wantPageSizeRequired(t, err, "5000")
	for size, want := range map[int32]int{1000: 3, 30: 4} {
		all := pages(t, s.ClientsService(t), size, func([]string) {})
		ids := slices.Concat(all...)
		slices.Sort(ids)
		if len(all) != want || len(slices.Compact(ids)) != clients {
			t.Errorf("page size %d: got %d pages, with %d clients", size, len(all), len(ids))
		}
	}
}

// Large lists are put together one after the other, and each caller gets an answer.
func TestListClients_ConcurrentLargeLists(t *testing.T) {
	const callers, clients = 10, 12
	s := servertest.Start(t, func(c *server.Config) { c.Timeout = time.Minute })
	s.Create(t, largeRequest(t))
	s.Exec(t, servertest.CopyStatement(s.Database(t).Dialect()), clients-1)
	token := s.Token(t, servertest.All...)
	all, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(all.GetClients()) != clients {
		t.Fatalf("got %d clients, error %v", len(all.GetClients()), err)
	}
	servertest.Concurrently(callers, func(i int) {
		protocol := servertest.Protocols()[i%len(servertest.Protocols())]
		if i%2 == 0 {
			answer, err := s.Clients(protocol, token).ListClients(t.Context(), &apiv1.ListClientsRequest{})
			if err != nil || len(answer.GetClients()) != clients {
				t.Errorf("caller %d: got %d clients, error %v", i, len(answer.GetClients()), err)
			}
			return
		}
		answer, err := s.Clients(protocol, "").GetPublicClients(t.Context(), &apiv1.GetPublicClientsRequest{ClientId: idsOf(all.GetClients())})
		if err != nil || len(answer.GetClients()) != clients {
			t.Errorf("caller %d: got %d public clients, error %v", i, len(answer.GetClients()), err)
		}
	})
}
