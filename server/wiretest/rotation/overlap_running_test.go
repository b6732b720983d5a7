package rotation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/servertest"
)

const overlapInProgress = "OVERLAP_IN_PROGRESS"

// overlapRequest asks for a rotation with an overlap of an hour.
func overlapRequest(clientID string) *apiv1.RegenerateSecretRequest {
	request := servertest.RotateRequest(clientID)
	request.PreviousSecretValidFor = durationpb.New(time.Hour)
	return request
}

// wantOverlapRunning fails the test unless a rotation was refused because of the
// overlap that this record shows.
func wantOverlapRunning(t *testing.T, err error, record *apiv1.Client) {
	t.Helper()
	end := record.GetPreviousSecretExpiresAt().AsTime().Format(time.RFC3339Nano)
	metadata, use := map[string]string{"previousSecretExpiresAt": end}, "has not been used in this overlap"
	if record.GetPreviousSecretLastUsedAt() != nil {
		last := record.GetPreviousSecretLastUsedAt().AsTime().Format(time.RFC3339Nano)
		metadata["previousSecretLastUsedAt"], use = last, "was last used at "+last
	}
	servertest.WantError(t, err, connect.CodeFailedPrecondition, "the previous secret is valid until "+end+" and "+use+
		": nothing was changed; wait, call RevokePreviousSecret, or set replacePrevious to end it now")
	servertest.WantErrorInfo(t, err, &errdetails.ErrorInfo{Reason: overlapInProgress, Domain: "clientsd", Metadata: metadata})
}

// setPrevious writes what a test would have to wait for: the end of an overlap and
// the last use of the previous secret.
func setPrevious(t *testing.T, s *servertest.Server, clientID string, end time.Time, lastUse *time.Time) {
	t.Helper()
	err := s.Database(t).Write.OAuthClient.UpdateOneID(uuid.MustParse(clientID)).
		SetPreviousSecretExpiresAt(end.UTC().Truncate(time.Microsecond)).SetNillablePreviousSecretLastUsedAt(lastUse).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

func TestOverlap_SecondOneIsRefused(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	lastUse := time.Now().UTC().Truncate(time.Minute)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		clients := s.Clients(protocol, token)
		for name, used := range map[string]*time.Time{"not used": nil, "used": &lastUse} {
			t.Run(name, func(t *testing.T) {
				first := s.Create(t, servertest.Request())
				id := first.GetClientId()
				second := s.RotateWithOverlap(t, id, time.Hour)
				setPrevious(t, s, id, second.GetPreviousSecretExpiresAt().AsTime(), used)
				before := s.Row(t, id)
				for _, replace := range []*bool{nil, proto.Bool(false)} {
					request := overlapRequest(id)
					request.ReplacePrevious = replace
					_, err := clients.RegenerateSecret(t.Context(), request)
					shown, getErr := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
					if getErr != nil {
						t.Fatal(getErr)
					}
					wantOverlapRunning(t, err, shown.GetClient())
				}
				servertest.WantSameRow(t, before, s.Row(t, id))
				s.WantMatch(t, id, second.GetClientSecret(), servertest.MatchCurrent, 2)
				s.WantMatch(t, id, first.GetClientSecret(), servertest.MatchPrevious, 1)
				s.WantEvents(t, id, "created 1 released", "secret_rotated 2 released")
			})
		}
	})
}

func TestOverlap_WhatEndsIt(t *testing.T) {
	s := servertest.Start(t)
	clients := s.ClientsService(t)
	for name, end := range map[string]func(t *testing.T, id string){
		"nothing, but the call replaces it": nil,
		"time":                              func(t *testing.T, id string) { t.Helper(); setPrevious(t, s, id, time.Now().Add(-time.Minute), nil) },
		"RevokePreviousSecret": func(t *testing.T, id string) {
			t.Helper()
			_, err := s.Secrets(servertest.ConnectJSON, s.Token(t, servertest.All...)).
				RevokePreviousSecret(t.Context(), &clientsdv1.RevokePreviousSecretRequest{ClientId: id})
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := s.Create(t, servertest.Request())
			id := first.GetClientId()
			second := s.RotateWithOverlap(t, id, time.Hour)
			request := overlapRequest(id)
			if end != nil {
				end(t, id)
			} else {
				request.ReplacePrevious = proto.Bool(true)
			}
			third, err := clients.RegenerateSecret(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			s.WantMatch(t, id, first.GetClientSecret(), servertest.MatchNone, 0)
			s.WantMatch(t, id, second.GetClientSecret(), servertest.MatchPrevious, 2)
			s.WantMatch(t, id, third.GetClientSecret(), servertest.MatchCurrent, 3)
		})
	}
}

// A leak cannot wait for the end of an overlap.
func TestOverlap_RotationWithoutOverlapEndsIt(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.AllAPIs...)
	ways := append(servertest.Ways(), servertest.Way{Name: "RegenerateSecret", Rotate: servertest.OverXeonr})
	for _, w := range ways {
		t.Run(w.Name, func(t *testing.T) {
			first := s.Create(t, servertest.Request())
			id := first.GetClientId()
			second := s.RotateWithOverlap(t, id, time.Hour)
			third := w.MustRotate(t, s, servertest.Attempt{Token: token, ClientID: id})
			s.WantOnlySecret(t, id, 3, third, first.GetClientSecret(), second.GetClientSecret())
			if row := s.Row(t, id); row.PreviousSecretDigest != nil || row.PreviousSecretExpiresAt != nil {
				t.Errorf("the row still has a previous secret, which ends at %v", row.PreviousSecretExpiresAt)
			}
		})
	}
}

// What a caller expects of the version is refused first: who does not know the last
// rotation does not know whose secret replace_previous would end.
func TestOverlap_ExpectedVersionComesFirst(t *testing.T) {
	s := servertest.Start(t)
	clients := s.ClientsService(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	running := s.RotateWithOverlap(t, id, time.Hour)
	rotate := func(version int64, replace bool) error {
		request := overlapRequest(id)
		request.ExpectedSecretVersion, request.ReplacePrevious = &version, &replace
		_, err := clients.RegenerateSecret(t.Context(), request)
		return err
	}
	for _, replace := range []bool{false, true} {
		servertest.WantReason(t, rotate(1, replace), "SECRET_VERSION_MISMATCH")
	}
	wantOverlapRunning(t, rotate(2, false), running)
	if err := rotate(2, true); err != nil {
		t.Errorf("version and permission: %v", err)
	}
	s.WantHistory(t, id, 3)
}

// With a concurrent overlap, the secret that one of the callers gives to production
// would be refused: exactly one wins.
func TestOverlap_ConcurrentOnesLeaveOne(t *testing.T) {
	const rounds, callers = 10, 8
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for round := range rounds {
		first := s.Create(t, servertest.Request())
		id := first.GetClientId()
		answers, errs := make([]*apiv1.Client, callers), make([]error, callers)
		servertest.Concurrently(callers, func(i int) {
			ctx := t.Context()
			if i%2 == 1 { // a key has a transaction of its own
				ctx = servertest.WithIdempotencyKeys(ctx, fmt.Sprint(i, " of ", id))
			}
			answers[i], errs[i] = s.Clients(servertest.Protocols()[i%4], token).RegenerateSecret(ctx, overlapRequest(id))
		})
		won := -1
		for i, err := range errs {
			if err != nil {
				continue
			}
			if won >= 0 {
				t.Fatalf("round %d: callers %d and %d have both rotated", round, won, i)
			}
			won = i
		}
		if won < 0 {
			t.Fatalf("round %d: nobody has rotated: %v", round, errs)
		}
		for i, err := range errs {
			if i != won {
				wantOverlapRunning(t, err, answers[won])
			}
		}
		s.WantMatch(t, id, first.GetClientSecret(), servertest.MatchPrevious, 1)
		s.WantMatch(t, id, answers[won].GetClientSecret(), servertest.MatchCurrent, 2)
		s.WantHistory(t, id, 2)
	}
}

func TestOverlap_RepeatedCallComesFirst(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		clients := s.Clients(protocol, token)
		id := s.Create(t, servertest.Request()).GetClientId()
		first := servertest.RotateWithKey(t, clients, "night of "+id, overlapRequest(id))
		servertest.WantSameMessage(t, first, servertest.RotateWithKey(t, clients, "night of "+id, overlapRequest(id)))
		_, err := clients.RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "next night of "+id), overlapRequest(id))
		wantOverlapRunning(t, err, first)
		replacing := overlapRequest(id)
		replacing.ReplacePrevious = proto.Bool(true)
		_, err = clients.RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "night of "+id), replacing)
		servertest.WantReason(t, err, "IDEMPOTENCY_MISMATCH")
		next := servertest.RotateWithKey(t, clients, "next night of "+id, replacing) // a refused call has not used its key
		servertest.WantSameMessage(t, next, servertest.RotateWithKey(t, clients, "next night of "+id, replacing))
		s.WantHistory(t, id, 3)
	})
}

// A caller that is slower with the same key must not learn of its own overlap, or of
// its own new version: it must get the result.
func TestOverlap_ConcurrentRepetitionsComeFirst(t *testing.T) {
	const rounds, callers = 20, 4
	s := servertest.Start(t)
	clients := s.ClientsService(t)
	for name, request := range map[string]*apiv1.RegenerateSecretRequest{
		"of an overlap": overlapRequest(""),
		"of a version":  {IncludeSecret: true, ExpectedSecretVersion: proto.Int64(1)},
	} {
		t.Run(name, func(t *testing.T) {
			for range rounds {
				id := s.Create(t, servertest.Request()).GetClientId()
				request := proto.CloneOf(request)
				request.ClientId = id
				secrets, errs := make([]string, callers), make([]error, callers)
				servertest.Concurrently(callers, func(i int) {
					secrets[i], errs[i] = rotateUnderKey(t.Context(), clients, "night of "+id, request)
				})
				s.WantHistory(t, id, 2)
				for i, err := range errs {
					if err != nil {
						servertest.WantReason(t, err, "IDEMPOTENCY_KEY_IN_USE")
					} else {
						s.WantMatch(t, id, secrets[i], servertest.MatchCurrent, 2)
					}
				}
			}
		})
	}
}

func rotateUnderKey(ctx context.Context, clients apiv1connect.ClientsServiceClient, key string, request *apiv1.RegenerateSecretRequest) (string, error) {
	answer, err := clients.RegenerateSecret(servertest.WithIdempotencyKeys(ctx, key), request)
	return answer.GetClientSecret(), err
}
