package serving_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

func TestRestart_KeepsEverything(t *testing.T) {
	before := servertest.Start(t)
	made := before.Create(t, servertest.Request())
	id := made.GetClientId()
	current := before.Rotate(t, id)
	path := strings.TrimPrefix(before.UploadLogo(t, id), before.URL)
	public := before.Create(t, servertest.PublicRequest())
	page := before.NextPageToken(t, &apiv1.ListClientsRequest{PageSize: proto.Int32(1)})
	token := before.Token(t, servertest.All...)
	record := withSecret(t, before, id)
	before.Stop(t)

	after := servertest.Start(t, servertest.InDir(before.Dir))
	after.WantOnlySecret(t, id, 2, current, made.GetClientSecret())
	again := withSecret(t, after, id)
	record.LogoUrl, again.LogoUrl = nil, nil // the port is another one
	if diff := cmp.Diff(record, again, protocmp.Transform()); diff != "" {
		t.Errorf("the record (-before +after):\n%s", diff)
	}
	if response, _ := after.Get(t, path); response.StatusCode != http.StatusOK {
		t.Errorf("the logo: got %s", response.Status)
	}
	rest, err := after.Clients(servertest.ConnectJSON, token).ListClients(t.Context(), &apiv1.ListClientsRequest{PageToken: &page})
	if err != nil || len(rest.GetClients()) != 1 || rest.GetClients()[0].GetClientId() != public.GetClientId() {
		t.Errorf("with token and page token from before: got %v, error %v", rest, err)
	}
	after.WantOnlySecret(t, id, 3, after.Rotate(t, id), current, made.GetClientSecret())
}

// withSecret is the record with its secret.
func withSecret(t *testing.T, s *servertest.Server, id string) *apiv1.Client {
	t.Helper()
	answer, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetClient()
}

// What keeps a server from starting must be said, not shown as a crash.
func TestStart_CannotOpenData(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(t *testing.T, s *servertest.Server)
		want   error
	}{
		"its keyset is missing": {
			func(t *testing.T, s *servertest.Server) {
				t.Helper()
				storagetest.OnFile(t, "keyset that the first run makes")
				if err := os.Remove(filepath.Join(s.Dir, "keyset.json")); err != nil {
					t.Fatal(err)
				}
			},
			storage.ErrKeysetMissing,
		},
		"its keyset is another": {
			func(t *testing.T, s *servertest.Server) {
				t.Helper()
				path := filepath.Join(s.Dir, "keyset.json")
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if _, err := secret.CreateKeyset(path); err != nil {
					t.Fatal(err)
				}
			},
			storage.ErrKeysetWrong,
		},
		"a newer binary was there": {
			func(t *testing.T, s *servertest.Server) {
				t.Helper()
				s.Exec(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999999999999, true)")
			},
			database.ErrNewerSchema,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.Start(t)
			tt.damage(t, s)
			s.Stop(t)
			started, err := server.New(t.Context(), server.Config{
				Addr: "127.0.0.1:0", Storage: storagetest.Config(t, storage.Config{Dir: s.Dir, Create: true}),
			})
			if started != nil || !errors.Is(err, tt.want) {
				t.Errorf("got %v, error %v, want %v", started, err, tt.want)
			}
		})
	}
}
