package apis_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
	"clientsd/server/servertest"
)

// ZITADEL ignores fields that it does not know, and Vigilo reads no body at all.
func TestUnknownFields_AreIgnored(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.AllAPIs...)
	client := s.Create(t, servertest.Request())
	id, last := client.GetClientId(), client.GetClientSecret()
	for _, tt := range []struct{ path, body, secret string }{
		{managementv1connect.ManagementServiceRegenerateOIDCClientSecretProcedure, fmt.Sprintf(`{"projectId": %q, "app_id": %q, "x": {"y": [1]}, "x": 2}`, servertest.Application, id), "clientSecret"},
		{servertest.ZitadelPath(servertest.Application, id), `{"x": {"y": [1]}}`, "clientSecret"},
		{servertest.VigiloPath(id), `{"client_id": "x", "x": {"y": [1]}}`, "client_secret"},
	} {
		answer := s.PostAs(t, token, tt.path, tt.body)
		if s.Verify(t, id, last).GetValid() {
			t.Errorf("%s: the secret was not rotated", tt.path)
		}
		last, _ = answer[tt.secret].(string)
	}
	if !s.Verify(t, id, last).GetValid() {
		t.Error("the last secret is not valid")
	}
}

// What ZITADEL's RPC does read is checked as everywhere.
func TestZITADEL_FieldOfAnotherType(t *testing.T) {
	s := servertest.Start(t)
	body := fmt.Sprintf(`{"projectId": 7, "appId": %q, "appId": [], "x": 1}`, uuid.NewString())
	response, answer := s.PostJSON(t, managementv1connect.ManagementServiceRegenerateOIDCClientSecretProcedure, s.Token(t, servertest.AllAPIs...), body)
	const want = `{"code":"invalid_argument","message":"validation errors:\n - projectId: must be a string of Unicode text, such as \"text\"\n - appId: must be given only once"`
	if response.StatusCode != http.StatusBadRequest || !strings.HasPrefix(string(answer), want) {
		t.Errorf("got %s: %s, want %s", response.Status, answer, want)
	}
}
