package telemetry_test

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/servertest"
)

// allWays are those of every API, the main one included.
func allWays() []servertest.Way {
	list := servertest.Ways()
	for _, protocol := range servertest.Protocols() {
		list = append(list, servertest.Way{Name: "main API, " + protocol.Name, API: "xeonr", Rotate: func(t testing.TB, s *servertest.Server, c servertest.Attempt) (string, servertest.WireRefusal) {
			t.Helper()
			answer, _ := s.Clients(protocol, c.Token).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: c.ClientID, IncludeSecret: true})
			return answer.GetClientSecret(), servertest.WireRefusal{}
		}})
	}
	return list
}

func TestMetrics_RotationsByAPIAndOutcome(t *testing.T) {
	s := servertest.StartWatched(t)
	id, public := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.PublicRequest()).GetClientId()
	good, bare := s.Token(t, servertest.AllAPIs...), s.Token(t)
	outcomes := map[string]servertest.Attempt{
		"ok":                  {Token: good, ClientID: id},
		"not_found":           {Token: good, ClientID: uuid.NewString()},
		"failed_precondition": {Token: good, ClientID: public},
		"permission_denied":   {Token: bare, ClientID: id},
		"unauthenticated":     {Token: "bad", ClientID: id},
	}
	want := map[string]float64{}
	for _, w := range allWays() {
		for outcome, attempt := range outcomes {
			secret, _ := w.Rotate(t, s.Server, attempt)
			if (secret != "") != (outcome == "ok") {
				t.Fatalf("%s: got a secret: %v, for an outcome of %s", w.Name, secret != "", outcome)
			}
			want[fmt.Sprintf(`{api=%q,outcome=%q}`, w.API, outcome)]++
		}
	}
	s.Want(t, "clientsd_rotations_total", want)
	s.Want(t, "clientsd_secrets_released_total", map[string]float64{
		`{api="vigilo",method="/clients/{client_id}/regenerate-secret"}`:                              2,
		`{api="zitadel",method="/management/v1/"}`:                                                    1,
		`{api="zitadel",method="zitadel.management.v1.ManagementService/RegenerateOIDCClientSecret"}`: 5,
		`{api="xeonr",method="xeonr.auth.api.v1.ClientsService/RegenerateSecret"}`:                    5,
		`{api="xeonr",method="xeonr.auth.api.v1.ClientsService/CreateClient"}`:                        1,
	})
}

func TestMetrics_SecretsRead(t *testing.T) {
	s := servertest.StartWatched(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		for _, secret := range []bool{true, false, true} {
			_, err := s.Clients(protocol, s.Token(t, servertest.All...)).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: secret})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	s.Want(t, "clientsd_secrets_released_total", map[string]float64{
		`{api="xeonr",method="xeonr.auth.api.v1.ClientsService/CreateClient"}`: 1,
		`{api="xeonr",method="xeonr.auth.api.v1.ClientsService/GetClient"}`:    10,
	})
}

// overlapping asks about the previous secret of a client while it is valid.
func overlapping(t *testing.T, s *servertest.Server) *clientsdv1.VerifySecretRequest {
	t.Helper()
	made := s.Create(t, servertest.Request())
	_, err := s.ClientsService(t).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{
		ClientId: made.GetClientId(), PreviousSecretValidFor: durationpb.New(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &clientsdv1.VerifySecretRequest{ClientId: made.GetClientId(), Secret: made.GetClientSecret()}
}

func TestMetrics_VerificationsByMatch(t *testing.T) {
	s := servertest.StartWatched(t, func(c *server.Config) { c.FailureRate = 1 }) // a burst of ten
	previous := overlapping(t, s.Server)
	s.Verify(t, previous.GetClientId(), previous.GetSecret())
	current := s.Create(t, servertest.Request())
	for range 2 {
		s.Verify(t, current.GetClientId(), current.GetClientSecret())
	}
	throttled := 0
	for i := range 30 {
		_, err := s.Secrets(servertest.ConnectJSON, s.Token(t, servertest.ScopeVerify)).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{
			ClientId: current.GetClientId(), Secret: current.GetClientSecret() + strconv.Itoa(i),
		})
		if err != nil {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("no wrong secret was throttled")
	}
	s.Rotate(t, current.GetClientId())
	_, err := s.Secrets(servertest.ConnectJSON, s.Token(t, servertest.ScopeVerify)).VerifySecret(t.Context(),
		&clientsdv1.VerifySecretRequest{ClientId: current.GetClientId(), Secret: current.GetClientSecret()})
	if err == nil {
		t.Error("a secret that has ended was not throttled")
	}
	s.Want(t, "clientsd_verifications_total", map[string]float64{`{match="current"}`: 2, `{match="previous"}`: 1, `{match="none"}`: 30, `{match="ended"}`: 1})
}

// Half of these codes come from what stands before the handlers, in the words of
// the protocol: gRPC says them in a trailer or a header.
func TestMetrics_CallsByCode(t *testing.T) {
	clock := &servertest.Fuse{}
	s := servertest.StartWatched(t, func(c *server.Config) { c.Clock = clock.Now })
	token := s.Token(t, servertest.All...)
	previous := overlapping(t, s.Server)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		get := func(token, id string) {
			_, _ = s.Clients(protocol, token).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id}) // the metric tells
		}
		get("", uuid.NewString())
		get("bad", uuid.NewString())
		get(s.Token(t), uuid.NewString())
		get(token, uuid.NewString())
		get(token, "no id")
		get(token, strings.Repeat("x", 100<<10))
		_, _ = s.Clients(protocol, token).ListClients(t.Context(), &apiv1.ListClientsRequest{})
		clock.Light(2) // the first to read it checks the token, the second the end of the overlap
		_, _ = s.Secrets(protocol, token).VerifySecret(t.Context(), previous)
		clock.Light(math.MaxInt64)
	})
	series := func(method, code string) string {
		return fmt.Sprintf(`{api="xeonr",code=%q,method="xeonr.auth.api.v1.ClientsService/%s"}`, code, method)
	}
	s.Want(t, "clientsd_call_duration_seconds_count", map[string]float64{
		series("GetClient", "unauthenticated"):                                              10,
		series("GetClient", "permission_denied"):                                            5,
		series("GetClient", "not_found"):                                                    5,
		series("GetClient", "invalid_argument"):                                             5,
		series("GetClient", "resource_exhausted"):                                           5,
		series("CreateClient", "ok"):                                                        1,
		series("RegenerateSecret", "ok"):                                                    1,
		series("ListClients", "ok"):                                                         5,
		`{api="clientsd",code="internal",method="clientsd.v1.SecretsService/VerifySecret"}`: 5,
	})
	if got := s.Scrape(t)["clientsd_calls_in_flight"]; got != 0 {
		t.Errorf("got %v calls in flight", got)
	}
}

func TestMetrics_OtherRequestsByPattern(t *testing.T) {
	s := servertest.StartWatched(t)
	want := map[string]float64{}
	for path, route := range map[string]string{
		"/livez":                      `{api="none",code="ok",method="/livez"}`,
		"/readyz":                     `{api="none",code="ok",method="/readyz"}`,
		"/openapi.yaml":               `{api="none",code="ok",method="/openapi.yaml"}`,
		"/.well-known/jwks.json":      `{api="none",code="ok",method="/.well-known/jwks.json"}`,
		"/logos/x/y.png":              `{api="none",code="not_found",method="/logos/{client}/{file}"}`,
		"/":                           `{api="none",code="ok",method="/"}`,
		"/nothing":                    `{api="none",code="unimplemented",method="unknown"}`,
		"/client/x/regenerate-secret": `{api="vigilo",code="unimplemented",method="/clients/{client_id}/regenerate-secret"}`,
		"/management/v1/nothing":      `{api="zitadel",code="unauthenticated",method="/management/v1/"}`,

		servertest.ClientsPath + "GetClient": `{api="xeonr",code="unauthenticated",method="xeonr.auth.api.v1.ClientsService/GetClient"}`,
		servertest.ClientsPath + "Nothing":   `{api="none",code="unimplemented",method="unknown"}`,
		"/grpc.health.v1.Health/Check":       `{api="none",code="unimplemented",method="/grpc.health.v1.Health/Check"}`,
	} {
		s.Get(t, path)
		want[route]++
	}
	s.Want(t, "clientsd_call_duration_seconds_count", want)
}

// A preflight is no call: it has a series of its own, whatever it asks about.
func TestMetrics_Preflights(t *testing.T) {
	s := servertest.StartWatched(t, func(c *server.Config) { c.CORSOrigins = []string{"https://console.example.com"} })
	for origin, times := range map[string]int{"https://console.example.com": 2, "https://evil.example": 3} {
		for range times {
			request := s.NewRequest(t, servertest.ClientsPath+"GetClient", "", nil)
			request.Method = http.MethodOptions
			request.Header.Set("Origin", origin)
			request.Header.Set("Access-Control-Request-Method", http.MethodPost)
			servertest.Do(t, request)
		}
	}
	s.Want(t, "clientsd_call_duration_seconds_count", map[string]float64{
		`{api="none",code="ok",method="preflight"}`:                2,
		`{api="none",code="permission_denied",method="preflight"}`: 3,
	})
}

func TestMetrics_CallsInFlight(t *testing.T) {
	s := servertest.StartWatched(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	slow := s.RotateSlowly(t, id)
	s.Want(t, "clientsd_calls_in_flight", map[string]float64{"": 1})
	slow.Finish(t)
	s.Want(t, "clientsd_calls_in_flight", map[string]float64{})
}

// A writer that is wrapped must not hide from net/http whom to hang up on. It
// would read a rest as short as this one to its end.
func TestMetrics_CallerWhoSendsTooMuch(t *testing.T) {
	s := servertest.Start(t)
	request := s.NewRequest(t, servertest.VigiloPath(uuid.NewString()), s.Token(t, servertest.ScopeClientManage), strings.NewReader(strings.Repeat("x", 100<<10)))
	response, _ := servertest.Do(t, request)
	if response.StatusCode != http.StatusRequestEntityTooLarge || !response.Close {
		t.Errorf("got %s, and the connection is closed: %v", response.Status, response.Close)
	}
}
