package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
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
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

const regenerateOIDC = "/zitadel.management.v1.ManagementService/RegenerateOIDCClientSecret"

// byHand gives a server a clock that moves only when it is told to. It shows
// 257,891 microseconds, so that a face that rounds shows.
func byHand() (*clock, func(*server.Config)) {
	c := &clock{}
	c.set(time.Now().Truncate(time.Second).Add(257891 * time.Microsecond))
	return c, func(config *server.Config) { config.Clock = c.now }
}

type clock struct{ at atomic.Pointer[time.Time] }

func (c *clock) set(t time.Time) { c.at.Store(&t) }

func (c *clock) now() time.Time { return *c.at.Load() }

// The documented answer, field for field, over everything that speaks JSON.
func TestZITADELAnswersAsDocumented(t *testing.T) {
	storagetest.OnFile(t, "clock that a test could set: the time is the server's")
	clock, option := byHand()
	s := servertest.Start(t, option)
	token := s.Mint(t, issuer.Grant{Scopes: faceScopes, Organisation: "69629023906488334"})
	for name, path := range map[string]string{"REST": "", "Connect": regenerateOIDC} {
		t.Run(name, func(t *testing.T) {
			created := clock.now()
			made := s.CreateAs(t, token, servertest.Request())
			id, body := made.GetClientId(), fmt.Sprintf(`{"projectId": %q, "appId": %q}`, application, made.GetClientId())
			clock.set(created.Add(25*time.Second + time.Millisecond))
			if path == "" {
				path, body = restPath(application, id), "{}"
			}
			got := ask(t, s, http.MethodPost, path, token, body)
			secret, _ := object(t, []byte(got.body))["clientSecret"].(string)
			wantAnswer(t, got, http.StatusOK, fmt.Sprintf(`{"clientSecret": %q, "details": {
				"sequence": "2", "creationDate": %q, "changeDate": %q, "resourceOwner": "69629023906488334"}}`,
				secret, created.UTC().Format("2006-01-02T15:04:05.000Z"), clock.now().UTC().Format("2006-01-02T15:04:05.000Z")))
			if secret == made.GetClientSecret() || len(secret) != len(made.GetClientSecret()) {
				t.Errorf("got the secret %q", secret)
			}
		})
	}
}

func TestZITADELAnswersTheSameMessageOverEveryProtocol(t *testing.T) {
	storagetest.OnFile(t, "clock that a test could set: the time is the server's")
	clock, option := byHand()
	s := servertest.Start(t, option)
	token := s.Token(t, faceScopes...)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		made := s.Create(t, servertest.Request())
		answer, err := s.Management(protocol, token).RegenerateOIDCClientSecret(t.Context(),
			&managementv1.RegenerateOIDCClientSecretRequest{ProjectId: application, AppId: made.GetClientId()})
		if err != nil {
			t.Fatal(err)
		}
		at := timestamppb.New(clock.now().Truncate(time.Millisecond))
		want := &managementv1.RegenerateOIDCClientSecretResponse{
			ClientSecret: answer.GetClientSecret(),
			Details:      &zitadelv1.ObjectDetails{Sequence: 2, CreationDate: at, ChangeDate: at, ResourceOwner: "default"},
		}
		if diff := cmp.Diff(want, answer, protocmp.Transform()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		wantOnlySecret(t, s, made.GetClientId(), 2, answer.GetClientSecret(), made.GetClientSecret())
	})
}

// The sequence counts every change of the client, not its rotations only.
func TestZITADELsSequenceCountsTheChangesOfTheClient(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	token := s.Token(t, faceScopes...)
	post(t, s, clientsService+"UpdateClient", fmt.Sprintf(`{"clientId": %q, "name": "Renamed"}`, made.GetClientId()))
	got := ask(t, s, http.MethodPost, restPath(application, made.GetClientId()), token, "")
	if sequence := member(t, object(t, []byte(got.body)), "details")["sequence"]; sequence != "3" {
		t.Errorf("got sequence %v, want \"3\"", sequence)
	}
}

func TestTheProjectIsTheApplicationOfTheClient(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, faceScopes...)
	open, mine := s.Create(t, servertest.PublicRequest()).GetClientId(), s.Create(t, servertest.Request())
	request := servertest.Request()
	request.ApplicationId = nil
	orphan := s.Create(t, request).GetClientId()
	for _, tt := range []struct{ name, project, app string }{
		{"another project", "app_other", mine.GetClientId()},
		{"an API that is enabled for the client", "app_bare", mine.GetClientId()},
		{"the project in capitals", strings.ToUpper(application), mine.GetClientId()},
		{"the project and a space", application + "%20", mine.GetClientId()},
		{"the beginning of the project", application[:5], mine.GetClientId()},
		{"a wildcard", "%25", mine.GetClientId()},
		{"a public client of another project", "app_other", open},
		{"a client without an application", application, orphan},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantTold(t, ask(t, s, http.MethodPost, restPath(tt.project, tt.app), token, "{}"), restSays(notThere))
		})
	}
	wantOnlySecret(t, s, mine.GetClientId(), 1, mine.GetClientSecret())
}

func TestACallActsInTheOrganisationThatTheHeaderNames(t *testing.T) {
	s := servertest.Start(t)
	mine := s.Create(t, servertest.Request()).GetClientId()
	theirs := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request()).GetClientId()
	caller, administrator := s.Token(t, faceScopes...), s.Token(t, appWrite, admin)
	rotations := map[string]int64{mine: 1, theirs: 1}
	for _, tt := range []struct {
		name, token, organisation, clientID string
		want                                refusal
	}{
		{"an empty header", caller, "", mine, refusal{}},
		{"the caller's own organisation", caller, "default", mine, refusal{}},
		{"the caller's own, and a client of another", caller, "default", theirs, notThere},
		{"another organisation and its client", caller, "acme", theirs, lacking(admin)},
		{"another organisation and a client of one's own", caller, "acme", mine, lacking(admin)},
		{"another organisation and no client", caller, "acme", uuid.NewString(), lacking(admin)},
		{"the own organisation in capitals", caller, "DEFAULT", mine, lacking(admin)},
		{"an admin without a header, a client of another organisation", administrator, "", theirs, notThere},
		{"an admin in another organisation", administrator, "acme", theirs, refusal{}},
		{"an admin in another organisation, a client of the own", administrator, "acme", mine, notThere},
		{"an admin in the own organisation", administrator, "default", mine, refusal{}},
		{"an admin in an organisation that does not exist", administrator, "%", theirs, notThere},
		{"an admin who may not rotate", s.Token(t, admin), "acme", theirs, lacking(manage)},
	} {
		for _, w := range ways() {
			if w.face != "zitadel" {
				continue
			}
			t.Run(tt.name+", "+w.name, func(t *testing.T) {
				c := attempt{tt.token, tt.clientID, []string{"X-Zitadel-Orgid", tt.organisation}}
				if tt.want != (refusal{}) {
					w.wantRefused(t, s, c, tt.want)
					return
				}
				w.mustRotate(t, s, c)
				rotations[tt.clientID]++
			})
		}
	}
	wantHistory(t, s, mine, rotations[mine])
	wantHistory(t, s, theirs, rotations[theirs])
	events := s.Events(t, theirs)
	last := events[len(events)-1]
	wantEvent(t, last, &ent.ClientEvent{
		ClientID: uuid.MustParse(theirs), Organisation: "acme", ActorOrganisation: "default",
		SecretVersion: rotations[theirs], RequestID: last.RequestID, API: "zitadel",
	})
}

func lacking(scope string) refusal {
	return refusal{connect.CodePermissionDenied, denied(scope).Message, scope}
}

func TestZITADELSaysWhichFieldBreaksARule(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, faceScopes...)
	long := strings.Repeat("a", 201)
	for _, tt := range []struct {
		name, project, app string
		fields             []string
	}{
		{"no project", "", uuid.NewString(), []string{"project_id"}},
		{"no app", application, "", []string{"app_id"}},
		{"neither", "", "", []string{"app_id", "project_id"}},
		{"201 characters of a project", long, uuid.NewString(), []string{"project_id"}},
		{"201 characters of an app", application, long, []string{"app_id"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
				_, err := s.Management(protocol, token).RegenerateOIDCClientSecret(t.Context(),
					&managementv1.RegenerateOIDCClientSecretRequest{ProjectId: tt.project, AppId: tt.app})
				wantViolations(t, err, tt.fields...)
			})
			got := ask(t, s, http.MethodPost, restPath(tt.project, tt.app), token, "{}")
			if diff := cmp.Diff(tt.fields, violationsIn(t, got), cmpopts.SortSlices(strings.Compare)); diff != "" || got.status != http.StatusBadRequest {
				t.Errorf("REST: got status %d, fields (-want +got):\n%s", got.status, diff)
			}
		})
	}
}

// violationsIn are the names of the fields that a google.rpc.Status complains of.
func violationsIn(t *testing.T, got reply) []string {
	t.Helper()
	message := &status.Status{}
	if err := protojson.Unmarshal([]byte(got.body), message); err != nil {
		t.Fatal(err)
	}
	if message.GetCode() != int32(connect.CodeInvalidArgument) || len(message.GetDetails()) != 1 {
		t.Fatalf("got %s", got.body)
	}
	detail := &validate.Violations{}
	if err := message.GetDetails()[0].UnmarshalTo(detail); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, violation := range detail.GetViolations() {
		fields = append(fields, fieldOf(violation))
	}
	return fields
}
