package secrecy_test

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// A secrecyTest collects every secret that was issued and every answer that
// must not carry one.
type secrecyTest struct {
	*servertest.Server

	token   string
	issued  []string
	answers bytes.Buffer
}

// call keeps the answer to be searched.
func (s *secrecyTest) call(t *testing.T, procedure, body string) {
	t.Helper()
	_, answer := s.PostJSON(t, procedure, s.token, body)
	_, _ = s.answers.Write(answer) // a Buffer takes all
}

// issue makes a client, rotates its secret so many times and shows it in every
// way there is.
func (s *secrecyTest) issue(t *testing.T, protocol servertest.Protocol, rotations int) (id string) {
	t.Helper()
	clients := s.Clients(protocol, s.token)
	made, err := clients.CreateClient(t.Context(), servertest.Request())
	if err != nil {
		t.Fatal(err)
	}
	id = made.GetClient().GetClientId()
	s.issued = append(s.issued, made.GetClient().GetClientSecret())
	for i := range rotations {
		rotated, err := clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: id, IncludeSecret: i%2 == 0})
		if err != nil {
			t.Fatal(err)
		}
		shown, err := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: true})
		if err != nil || i%2 == 0 && shown.GetClient().GetClientSecret() != rotated.GetClientSecret() {
			t.Fatalf("the secret that is shown is not the new one, error %v", err)
		}
		s.issued = append(s.issued, shown.GetClient().GetClientSecret())
	}
	return id
}

// goWrong sends a secret to where it does not belong, and asks for it in ways
// that must fail.
func (s *secrecyTest) goWrong(t *testing.T, id string) {
	t.Helper()
	secret := s.issued[len(s.issued)-1]
	for _, body := range []string{
		`{"clientId": "` + id + `", "secret": "` + secret + `"}`,
		`{"clientId": "` + id + `", "secret": "` + secret + `x"}`,
		`{"clientId": "` + secret + `", "secret": "` + secret + `"}`,
		`{"clientId": "` + id + `", "secret": "` + strings.Repeat(secret, 6) + `"}`,
		`{"clientId": "` + id + `", "secret": ["` + secret + `"]}`,
		`{"clientId": "` + id + `", "secret": ` + secret + `}`,
		`{"clientId": "` + id + `", "secret": "` + secret + `"`,
		`{"clientId": "` + id + `", "secret": "` + secret + `\x"}`,
		`{"` + secret + `": 1, "` + secret + `": 2}`,
		`{"updateMask": "` + secret + `", "pageToken": "` + secret + `", "name": true, "contentType": "` + secret + `"}`,
		`{"clientId": "` + id + `", "secret": {"` + secret + `": 1}}`,
		`{"clientId": "` + id + `", "includeSecret": "` + secret + `", "secret": "` + secret + `"}`,
	} {
		s.call(t, servertest.VerifySecretPath, body)
		s.call(t, servertest.FindSecretPath, body)
		for _, method := range []string{"UpdateClient", "ListClients", "GetPublicClients", "UploadClientLogo", "DeleteClient"} {
			if method != "DeleteClient" || !strings.Contains(body, id) {
				s.call(t, servertest.ClientsPath+method, body)
			}
		}
	}
	for _, o := range servertest.Operations(t) {
		if o.NamesOneClient() {
			s.call(t, o.Procedure(), string(o.JSON(t, secret, secret)))
		}
	}
	for _, method := range []string{"ListClients", "GetClient", "RegenerateSecret"} {
		_, answer := s.PostJSON(t, servertest.ClientsPath+method, secret, `{"clientId": "`+id+`"}`)
		_, _ = s.answers.Write(answer)
	}
	_, answer := s.Get(t, "/logos/"+secret+"/"+secret+".png?secret="+secret, "Authorization", "Basic "+secret)
	_, _ = s.answers.Write(answer)
	s.call(t, servertest.ClientsPath+"UpdateClient", `{"clientId": "`+id+`", "name": "Renamed"}`)
	s.call(t, servertest.ClientsPath+"ListClients", `{}`)
	s.call(t, servertest.ClientsPath+"GetPublicClients", `{"clientId": ["`+id+`"]}`)
	s.call(t, servertest.ClientsPath+"UploadClientLogo", servertest.LogoUploadJSON(t, id))
}

// fail makes the database refuse what the calls need, last of all.
func (s *secrecyTest) fail(t *testing.T, id string) {
	t.Helper()
	s.Exec(t, "UPDATE oauth_clients SET secret_sealed = ? WHERE id = ?", []byte{0}, id)
	s.call(t, servertest.ClientsPath+"GetClient", `{"clientId": "`+id+`", "includeSecret": true}`)
	s.Exec(t, "DROP TABLE client_events")
	for _, o := range servertest.Operations(t) {
		s.call(t, o.Procedure(), string(o.JSON(t, id, s.issued[0])))
	}
	s.Exec(t, "ALTER TABLE oauth_clients RENAME TO gone")
	for _, secret := range s.issued[:10] {
		s.call(t, servertest.VerifySecretPath, `{"clientId": "`+id+`", "secret": "`+secret+`"}`)
		s.call(t, servertest.FindSecretPath, `{"secret": "`+secret+`"}`)
	}
	if !strings.Contains(s.Logs.String(), `"code":"data_loss"`) || !strings.Contains(s.Logs.String(), `"code":"internal"`) {
		t.Error("the log has no failures: they are not searched")
	}
}

func TestSecrets_NotInFilesLogsOrRefusals(t *testing.T) {
	s := &secrecyTest{Server: servertest.Start(t)}
	s.token = s.Token(t, servertest.All...)
	const clientsEach, rotations = 20, 4
	var id string
	for _, protocol := range servertest.Protocols() {
		for range clientsEach {
			id = s.issue(t, protocol, rotations)
		}
		s.goWrong(t, id)
	}
	f := servertest.Finder{}
	for _, secret := range s.issued {
		f.Add(secret)
	}
	want := len(servertest.Protocols()) * clientsEach * (rotations + 1)
	if len(s.issued) != want || len(f) < 5*want { // in clear, in hex, in base64 three times
		t.Fatalf("looking for %d texts of %d secrets, want %d secrets", len(f), len(s.issued), want)
	}
	s.wantNoneInFiles(t, f, "clientsd.db", "clientsd.db-wal", "keyset.json")
	s.fail(t, id)
	s.Stop(t)
	s.wantNoneInFiles(t, f, "clientsd.db", "keyset.json")
	f.WantNone(t, "the log", []byte(s.Logs.String()))
	f.WantNone(t, "the answers", s.answers.Bytes())
}

// wantNoneInFiles searches every file of the data folder, these among them, and
// on PostgreSQL every table.
func (s *secrecyTest) wantNoneInFiles(t *testing.T, f servertest.Finder, names ...string) {
	t.Helper()
	if storagetest.IsPostgres() {
		names = []string{"keyset.json", "goose_db_version", "keyset_checks", "signing_keys"}
	}
	stored := s.Stored(t)
	for name, data := range stored {
		f.WantNone(t, name, data)
	}
	for _, name := range names {
		if len(stored[name]) == 0 {
			t.Errorf("%s is not there or empty: %v", name, slices.Collect(maps.Keys(stored)))
		}
	}
}

// The wire would show what the JSON of the other tests does not.
func TestSecrets_NotInOtherAnswers(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	id, token := made.GetClientId(), s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			clients := s.Clients(protocol, token)
			list, listErr := clients.ListClients(t.Context(), &apiv1.ListClientsRequest{})
			updated, updateErr := clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id, Name: &made.Name})
			rotated, rotateErr := clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: id})
			read, readErr := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
			for _, err := range []error{listErr, updateErr, rotateErr, readErr} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for name, record := range map[string]*apiv1.Client{
				"ListClients": list.GetClients()[0], "UpdateClient": updated.GetClient(), "RegenerateSecret": rotated, "GetClient": read.GetClient(),
			} {
				if record.ClientSecret != nil || len(record.ProtoReflect().GetUnknown()) > 0 {
					t.Errorf("%s carries a secret or something unknown", name)
				}
			}
		})
	}
}

func TestAnswers_AreNotCached(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, servertest.All...)
	for _, o := range servertest.Operations(t) {
		if name := o.Method.Name(); !o.WithSecret && name != "CreateClient" {
			continue
		}
		for body, status := range map[string]int{string(o.JSON(t, id, "")): http.StatusOK, `{"clientId": "x"}`: http.StatusBadRequest} {
			t.Run(o.String()+", "+http.StatusText(status), func(t *testing.T) {
				response, answer := s.PostJSON(t, o.Procedure(), token, body)
				if got := response.Header.Values("Cache-Control"); len(got) != 1 || got[0] != "no-store" {
					t.Errorf("got Cache-Control %q", got)
				}
				if response.StatusCode != status || strings.Contains(string(answer), `"clientSecret":`) != (status == http.StatusOK) {
					t.Errorf("got %s: %s", response.Status, answer)
				}
			})
		}
	}
	_, err := s.Clients(servertest.ConnectJSON, "").ListClients(t.Context(), &apiv1.ListClientsRequest{})
	servertest.WantError(t, err, connect.CodeUnauthenticated, "the request carries no access token")
}
