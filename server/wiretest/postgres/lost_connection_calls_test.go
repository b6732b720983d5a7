package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

// mutations are the calls beside a rotation and a registration that write to the
// database, and the event that each leaves once it is done.
var mutations = map[string]struct {
	call  func(ctx context.Context, t *testing.T, c *cutOff, clientID string) error
	event string
}{
	"UpdateClient": {func(ctx context.Context, _ *testing.T, c *cutOff, clientID string) error {
		_, err := c.Clients(servertest.ConnectJSON, c.token).UpdateClient(ctx, &apiv1.UpdateClientRequest{ClientId: clientID, Name: proto.String("Renamed")})
		return err
	}, "updated 2"},
	"DeleteClient": {func(ctx context.Context, _ *testing.T, c *cutOff, clientID string) error {
		_, err := c.Clients(servertest.ConnectJSON, c.token).DeleteClient(ctx, &apiv1.DeleteClientRequest{ClientId: clientID})
		return err
	}, "deleted 2"},
	"UploadClientLogo": {func(ctx context.Context, t *testing.T, c *cutOff, clientID string) error {
		_, err := c.Clients(servertest.ConnectJSON, c.token).UploadClientLogo(ctx,
			&apiv1.UploadClientLogoRequest{ClientId: clientID, LogoData: servertest.PNG(t, 4, 4, servertest.Red), ContentType: "image/png"})
		return err
	}, "logo_uploaded 2"},
	"GetClient with its secret": {func(ctx context.Context, _ *testing.T, c *cutOff, clientID string) error {
		_, err := c.Clients(servertest.ConnectJSON, c.token).GetClient(ctx, &apiv1.GetClientRequest{ClientId: clientID, IncludeSecret: true})
		return err
	}, "secret_read 2 released"},
	"RevokePreviousSecret": {func(ctx context.Context, _ *testing.T, c *cutOff, clientID string) error {
		_, err := c.Secrets(servertest.ConnectJSON, c.token).RevokePreviousSecret(ctx, &clientsdv1.RevokePreviousSecretRequest{ClientId: clientID})
		return err
	}, "previous_secret_revoked 2"},
}

func TestLostConnection_DuringOtherCalls(t *testing.T) {
	const cuts = 3
	for name, tt := range lineCases("INSERT") { // that of the event
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCutOff(t)
			for method := range mutations {
				for range cuts {
					c.callCut(t, tt, method)
				}
			}
			for _, key := range []string{"", "first", "second", "third"} {
				c.createCut(t, tt, key)
			}
		})
	}
}

// callCut makes a call while the line is cut.
func (c *cutOff) callCut(t *testing.T, tt lineCase, method string) {
	t.Helper()
	id := c.beside.Create(t, servertest.Request()).GetClientId()
	c.beside.RotateWithOverlap(t, id, time.Hour)
	events, before := []string{"created 1 released", "secret_rotated 2 released"}, c.row(t, id)
	m := mutations[method]

	cut := c.line.CutOnce(tt.moment)
	err := m.call(t.Context(), t, c, id)
	if !cut.Happened() || cut.InTransaction() != tt.inTransaction {
		t.Fatalf("%s: the line was cut: %v; in a transaction: %v", method, cut.Happened(), cut.InTransaction())
	}
	if tt.refused {
		servertest.WantError(t, err, connect.CodeUnavailable, databaseSilent)
		c.wantEvents(t, id, events...)
		servertest.WantSameRow(t, before, c.row(t, id))
		err = m.call(t.Context(), t, c, id)
	}
	if err != nil {
		t.Errorf("%s: got error %v", method, err)
	}
	c.wantEvents(t, id, append(events, m.event)...)
}

// createCut registers a client while the line is cut, under a key or without one.
func (c *cutOff) createCut(t *testing.T, tt lineCase, key string) {
	t.Helper()
	request := servertest.Request()
	request.ApplicationId = proto.String("app_" + key)
	create := func() (*apiv1.CreateClientResponse, error) {
		ctx := t.Context()
		if key != "" {
			ctx = servertest.WithIdempotencyKeys(ctx, key)
		}
		return c.Clients(servertest.ConnectJSON, c.token).CreateClient(ctx, request)
	}
	cut := c.line.CutOnce(tt.moment)
	answer, err := create()
	if !cut.Happened() || cut.InTransaction() != tt.inTransaction {
		t.Fatalf("the line was cut: %v; in a transaction: %v", cut.Happened(), cut.InTransaction())
	}
	if tt.refused {
		servertest.WantError(t, err, connect.CodeUnavailable, databaseSilent)
		c.wantClients(t, request.GetApplicationId())
		answer, err = create()
	}
	if err != nil {
		t.Fatal(err)
	}
	made := answer.GetClient()
	c.wantClients(t, request.GetApplicationId(), made.GetClientId())
	c.beside.WantOnlySecret(t, made.GetClientId(), 1, made.GetClientSecret())
	c.wantEvents(t, made.GetClientId(), "created 1 released")
}

// wantClients fails the test unless an application has exactly these clients.
func (c *cutOff) wantClients(t *testing.T, applicationID string, want ...string) {
	t.Helper()
	list, err := c.beside.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{ApplicationId: &applicationID})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, client := range list.GetClients() {
		got = append(got, client.GetClientId())
	}
	if !slices.Equal(got, want) {
		t.Errorf("application %s has clients %s, want %s", applicationID, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}
