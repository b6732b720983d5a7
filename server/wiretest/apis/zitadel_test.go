package apis_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"clientsd/ent"
	managementv1 "clientsd/gen/go/zitadel/management/v1"
	zitadelv1 "clientsd/gen/go/zitadel/v1"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

const regenerateOIDC = "/zitadel.management.v1.ManagementService/RegenerateOIDCClientSecret"

// The documented answer, field for field, over everything that speaks JSON.
func TestZITADEL_AnswersAsDocumented(t *testing.T) {
	storagetest.OnFile(t, "clock that a test could set: the time is the server's")
	clock, option := servertest.StopClock()
	s := servertest.Start(t, option)
	token := s.Mint(t, issuer.Grant{Scopes: servertest.AllAPIs, Organisation: "69629023906488334"})
	for name, path := range map[string]string{"REST": "", "Connect": regenerateOIDC} {
		t.Run(name, func(t *testing.T) {
			created := clock.Now()
			made := s.CreateAs(t, token, servertest.Request())
			id, body := made.GetClientId(), fmt.Sprintf(`{"projectId": %q, "appId": %q}`, servertest.Application, made.GetClientId())
			clock.Set(created.Add(25*time.Second + time.Millisecond))
			if path == "" {
				path, body = servertest.ZitadelPath(servertest.Application, id), "{}"
			}
			got := s.CallREST(t, http.MethodPost, path, token, body)
			secret, _ := servertest.Object(t, []byte(got.Body))["clientSecret"].(string)
			servertest.WantJSON(t, got, http.StatusOK, fmt.Sprintf(`{"clientSecret": %q, "details": {
				"sequence": "2", "creationDate": %q, "changeDate": %q, "resourceOwner": "69629023906488334"}}`,
				secret, created.UTC().Format("2006-01-02T15:04:05.000Z"), clock.Now().UTC().Format("2006-01-02T15:04:05.000Z")))
			if secret == made.GetClientSecret() || len(secret) != len(made.GetClientSecret()) {
				t.Errorf("got the secret %q", secret)
			}
		})
	}
}

func TestZITADEL_SameMessageOverEveryProtocol(t *testing.T) {
	storagetest.OnFile(t, "clock that a test could set: the time is the server's")
	clock, option := servertest.StopClock()
	s := servertest.Start(t, option)
	token := s.Token(t, servertest.AllAPIs...)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		made := s.Create(t, servertest.Request())
		answer, err := s.Management(protocol, token).RegenerateOIDCClientSecret(t.Context(),
			&managementv1.RegenerateOIDCClientSecretRequest{ProjectId: servertest.Application, AppId: made.GetClientId()})
		if err != nil {
			t.Fatal(err)
		}
		at := timestamppb.New(clock.Now().Truncate(time.Millisecond))
		want := &managementv1.RegenerateOIDCClientSecretResponse{
			ClientSecret: answer.GetClientSecret(),
			Details:      &zitadelv1.ObjectDetails{Sequence: 2, CreationDate: at, ChangeDate: at, ResourceOwner: "default"},
		}
		if diff := cmp.Diff(want, answer, protocmp.Transform()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		s.WantOnlySecret(t, made.GetClientId(), 2, answer.GetClientSecret(), made.GetClientSecret())
	})
}

// The sequence counts every change of the client, not its rotations only.
func TestZITADEL_SequenceCountsChanges(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	token := s.Token(t, servertest.AllAPIs...)
	s.Post(t, servertest.ClientsPath+"UpdateClient", fmt.Sprintf(`{"clientId": %q, "name": "Renamed"}`, made.GetClientId()))
	got := s.CallREST(t, http.MethodPost, servertest.ZitadelPath(servertest.Application, made.GetClientId()), token, "")
	if sequence := servertest.Member(t, servertest.Object(t, []byte(got.Body)), "details")["sequence"]; sequence != "3" {
		t.Errorf("got sequence %v, want \"3\"", sequence)
	}
}

func TestZITADEL_ProjectIsTheApplication(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.AllAPIs...)
	open, mine := s.Create(t, servertest.PublicRequest()).GetClientId(), s.Create(t, servertest.Request())
	request := servertest.Request()
	request.ApplicationId = nil
	orphan := s.Create(t, request).GetClientId()
	for _, tt := range []struct{ name, project, app string }{
		{"another project", "app_other", mine.GetClientId()},
		{"an API that is enabled for the client", "app_bare", mine.GetClientId()},
		{"the project in capitals", strings.ToUpper(servertest.Application), mine.GetClientId()},
		{"the project and a space", servertest.Application + "%20", mine.GetClientId()},
		{"the beginning of the project", servertest.Application[:5], mine.GetClientId()},
		{"a wildcard", "%25", mine.GetClientId()},
		{"a public client of another project", "app_other", open},
		{"a client without an application", servertest.Application, orphan},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantTold(t, s.CallREST(t, http.MethodPost, servertest.ZitadelPath(tt.project, tt.app), token, "{}"), servertest.RenderREST(servertest.NotFound))
		})
	}
	s.WantOnlySecret(t, mine.GetClientId(), 1, mine.GetClientSecret())
}

func TestZITADEL_OrganisationHeader(t *testing.T) {
	s := servertest.Start(t)
	mine := s.Create(t, servertest.Request()).GetClientId()
	theirs := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request()).GetClientId()
	caller, administrator := s.Token(t, servertest.AllAPIs...), s.Token(t, servertest.ScopeAppWrite, servertest.ScopeAdmin)
	noAdmin := servertest.LackingFor([]string{servertest.ScopeAdmin}, servertest.ScopeAppWrite+" "+servertest.ScopeAdmin)
	rotations := map[string]int64{mine: 1, theirs: 1}
	for _, tt := range []struct {
		name, token, organisation, clientID string
		want                                servertest.Refusal
	}{
		{"an empty header", caller, "", mine, servertest.Refusal{}},
		{"the caller's own organisation", caller, "default", mine, servertest.Refusal{}},
		{"the caller's own, and a client of another", caller, "default", theirs, servertest.NotFound},
		{"another organisation and its client", caller, "acme", theirs, noAdmin},
		{"another organisation and a client of one's own", caller, "acme", mine, noAdmin},
		{"another organisation and no client", caller, "acme", uuid.NewString(), noAdmin},
		{"the own organisation in capitals", caller, "DEFAULT", mine, noAdmin},
		{"an admin without a header, a client of another organisation", administrator, "", theirs, servertest.NotFound},
		{"an admin in another organisation", administrator, "acme", theirs, servertest.Refusal{}},
		{"an admin in another organisation, a client of the own", administrator, "acme", mine, servertest.NotFound},
		{"an admin in the own organisation", administrator, "default", mine, servertest.Refusal{}},
		{"an admin in an organisation that does not exist", administrator, "%", theirs, servertest.NotFound},
		{"an admin who may not rotate", s.Token(t, servertest.ScopeAdmin), "acme", theirs, servertest.Lacking(servertest.ScopeAppWrite, servertest.ScopeManage)},
	} {
		for _, w := range servertest.Ways() {
			if w.API != "zitadel" {
				continue
			}
			t.Run(tt.name+", "+w.Name, func(t *testing.T) {
				c := servertest.Attempt{Token: tt.token, ClientID: tt.clientID, Header: []string{"X-Zitadel-Orgid", tt.organisation}}
				if tt.want != (servertest.Refusal{}) {
					w.WantRefused(t, s, c, tt.want)
					return
				}
				w.MustRotate(t, s, c)
				rotations[tt.clientID]++
			})
		}
	}
	s.WantHistory(t, mine, rotations[mine])
	s.WantHistory(t, theirs, rotations[theirs])
	events := s.Events(t, theirs)
	last, id := events[len(events)-1], uuid.MustParse(theirs)
	wantEvent(t, last, &ent.ClientEvent{
		ClientID: &id, Organisation: "acme", ActorOrganisation: "default",
		SecretVersion: rotations[theirs], RequestID: last.RequestID, API: "zitadel", SecretLookup: last.SecretLookup,
	})
}

func TestZITADEL_NamesTheInvalidField(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.AllAPIs...)
	long := strings.Repeat("a", 201)
	for _, tt := range []struct {
		name, project, app string
		fields             []string
	}{
		{"no project", "", uuid.NewString(), []string{"projectId"}},
		{"no app", servertest.Application, "", []string{"appId"}},
		{"neither", "", "", []string{"appId", "projectId"}},
		{"201 characters of a project", long, uuid.NewString(), []string{"projectId"}},
		{"201 characters of an app", servertest.Application, long, []string{"appId"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
				_, err := s.Management(protocol, token).RegenerateOIDCClientSecret(t.Context(),
					&managementv1.RegenerateOIDCClientSecretRequest{ProjectId: tt.project, AppId: tt.app})
				servertest.WantViolations(t, err, tt.fields...)
			})
			got := s.CallREST(t, http.MethodPost, servertest.ZitadelPath(tt.project, tt.app), token, "{}")
			if diff := cmp.Diff(tt.fields, violationsIn(t, got), cmpopts.SortSlices(strings.Compare)); diff != "" || got.Status != http.StatusBadRequest {
				t.Errorf("REST: got status %d, fields (-want +got):\n%s", got.Status, diff)
			}
		})
	}
}

// violationsIn are the names of the fields that a google.rpc.Status complains of.
func violationsIn(t *testing.T, got servertest.Reply) []string {
	t.Helper()
	message := &status.Status{}
	if err := protojson.Unmarshal([]byte(got.Body), message); err != nil {
		t.Fatal(err)
	}
	if message.GetCode() != int32(connect.CodeInvalidArgument) || len(message.GetDetails()) != 1 {
		t.Fatalf("got %s", got.Body)
	}
	detail := &validate.Violations{}
	if err := message.GetDetails()[0].UnmarshalTo(detail); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, violation := range detail.GetViolations() {
		fields = append(fields, servertest.FieldPath(violation))
	}
	return fields
}
