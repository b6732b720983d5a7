package contract_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

// register creates so many clients of an application, and returns their ids in
// that order.
func register(t *testing.T, s *servertest.Server, count int, application string) []string {
	t.Helper()
	clients := s.ClientsService(t)
	ids := make([]string, count)
	for i := range ids {
		request := servertest.Request()
		request.Name, request.ApplicationId = fmt.Sprint("Client ", i), &application
		answer, err := clients.CreateClient(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = answer.GetClient().GetClientId()
	}
	return ids
}

func idsOf(list []*apiv1.Client) []string {
	ids := []string{}
	for _, client := range list {
		ids = append(ids, client.GetClientId())
	}
	return ids
}

// pages turns every page of a list and returns the ids on each. Between two
// pages it calls turned with those of the page before.
func pages(t *testing.T, clients apiv1connect.ClientsServiceClient, size int32, turned func(page []string)) (all [][]string) {
	t.Helper()
	request := &apiv1.ListClientsRequest{PageSize: &size}
	for {
		answer, err := clients.ListClients(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, idsOf(answer.GetClients()))
		if answer.NextPageToken == nil {
			return all
		}
		turned(all[len(all)-1])
		request.PageToken = answer.NextPageToken
	}
}

func TestListClients_ShowsRecordsWithoutSecrets(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	want := []*apiv1.Client{s.Create(t, servertest.Request()), s.Create(t, servertest.PublicRequest())}
	want[0].ClientSecret = nil
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			got, err := s.Clients(protocol, token).ListClients(t.Context(), &apiv1.ListClientsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&apiv1.ListClientsResponse{Clients: want}, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestListClients_Filters(t *testing.T) {
	s := servertest.Start(t)
	one, two := register(t, s, 2, "app_one"), register(t, s, 1, "app_two")
	none := s.Create(t, &apiv1.CreateClientRequest{
		Name: "n", RedirectUri: "https://n.example.com/", WebsiteUrl: "https://n.example.com", Description: "d",
	}).GetClientId()
	acme := s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"})
	foreign := s.CreateAs(t, acme, servertest.Request()).GetClientId()
	mine := s.Token(t, servertest.All...)
	for name, tt := range map[string]struct {
		token       string
		application *string
		want        []string
	}{
		"no application":           {mine, nil, slices.Concat(one, two, []string{none})},
		"an empty application":     {mine, proto.String(""), slices.Concat(one, two, []string{none})},
		"an application":           {mine, proto.String("app_one"), one},
		"another application":      {mine, proto.String("app_two"), two},
		"the start of its name":    {mine, proto.String("app"), []string{}},
		"its name in capitals":     {mine, proto.String("APP_ONE"), []string{}},
		"a pattern":                {mine, proto.String("app%"), []string{}},
		"another organisation":     {acme, nil, []string{foreign}},
		"an application elsewhere": {acme, proto.String("app_one"), []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Clients(servertest.ConnectJSON, tt.token).ListClients(t.Context(), &apiv1.ListClientsRequest{ApplicationId: tt.application})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, idsOf(got.GetClients())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestListClients_Pages(t *testing.T) {
	s := servertest.Start(t)
	ids := register(t, s, 23, "app")
	for name, size := range map[string]int32{
		"one client a page":             1,
		"the last page is not full":     5,
		"the last page has one client":  11,
		"all but one on the first page": 22,
		"exactly one page":              23,
		"the largest page":              1000,
		"no bound":                      0,
	} {
		t.Run(name, func(t *testing.T) {
			want := [][]string{ids}
			if size > 0 {
				want = slices.Collect(slices.Chunk(ids, int(size)))
			}
			if diff := cmp.Diff(want, pages(t, s.ClientsService(t), size, func([]string) {})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is made or deleted between two pages must neither hide nor repeat what
// was there all the time.
func TestListClients_PagesWhileClientsComeAndGo(t *testing.T) {
	s := servertest.Start(t)
	ids := register(t, s, 12, "app")
	clients := s.ClientsService(t)
	deleted := ids[4]
	got := slices.Concat(pages(t, clients, 3, func(page []string) {
		register(t, s, 1, "app")
		for _, id := range append(page[2:], deleted) { // the one the token names, and one to come
			_, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id})
			if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
				t.Fatal(err)
			}
		}
	})...)
	want := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == deleted })
	if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
		t.Errorf("those that were there all the time (-want +got):\n%s", diff)
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != len(got) || slices.Contains(got, deleted) {
		t.Error("a client is listed twice, or after it was deleted")
	}
}

// Times with more and fewer digits must sort as times, and equal ones must not
// hide a client.
func TestListClients_OrderedByCreation(t *testing.T) {
	var now atomic.Pointer[time.Time]
	start := time.Now().Truncate(time.Second)
	now.Store(&start)
	s := servertest.Start(t, func(c *server.Config) { c.Clock = func() time.Time { return *now.Load() } })
	var want []string
	for _, micros := range []int{0, 1, 9, 10, 99_999, 100_000, 500_000, 509_999, 510_000, 999_999, 1_000_000} {
		at := start.Add(time.Duration(micros) * time.Microsecond)
		now.Store(&at)
		same := register(t, s, 3, "app")
		slices.Sort(same) // made in one moment, they are ordered by their ids
		want = append(want, same...)
	}
	for _, size := range []int32{0, 1, 2, 7} {
		if diff := cmp.Diff(want, slices.Concat(pages(t, s.ClientsService(t), size, func([]string) {})...)); diff != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", size, diff)
		}
	}
}

func TestListClients_AfterConcurrentCreates(t *testing.T) {
	const callers, each = 16, 5
	s := servertest.Start(t)
	clients := s.ClientsService(t)
	ids := make([]string, callers*each)
	servertest.Concurrently(callers, func(i int) {
		for j := range each {
			answer, err := clients.CreateClient(t.Context(), servertest.Request())
			if err != nil {
				t.Error(err)
				return
			}
			ids[i*each+j] = answer.GetClient().GetClientId()
		}
	})
	got := slices.Concat(pages(t, clients, 7, func([]string) {})...)
	slices.Sort(ids)
	slices.Sort(got)
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("(-made +listed):\n%s", diff)
	}
}
