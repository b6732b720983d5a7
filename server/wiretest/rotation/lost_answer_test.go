package rotation_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

// A cutter is a proxy on a bad line: it passes on what callers send, waits for
// the server's whole answer, and ends the connection without a byte of it.
type cutter struct {
	*servertest.Server // as reached through the proxy

	// lost is each answer that did not get through; nil: the server gave none.
	lost chan []byte
}

// startCutter puts a proxy in front of a server until the test ends.
func startCutter(t *testing.T, s *servertest.Server, protocol servertest.Protocol) cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	target := strings.TrimPrefix(s.URL, "http://")
	through := *s
	through.URL = "http://" + listener.Addr().String()
	c := cutter{Server: &through, lost: make(chan []byte, 1)}
	go func() {
		for {
			caller, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			c.lost <- cut(caller, target, answerOver(protocol))
			caller.Close()
		}
	}()
	return c
}

// cut lets one request through and keeps its answer, or nil if that breaks off.
func cut(caller io.Reader, target string, readAnswer func(io.Reader) error) []byte {
	server, err := net.Dial("tcp", target)
	if err != nil {
		return nil
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, caller) }() // ends with either connection
	var answer bytes.Buffer
	if err := readAnswer(io.TeeReader(server, &answer)); err != nil {
		return nil
	}
	return answer.Bytes()
}

// answerOfHTTP1 reads an answer to its end.
func answerOfHTTP1(from io.Reader) error {
	response, err := http.ReadResponse(bufio.NewReader(from), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close())
}

// answerOfHTTP2 reads frames until one ends a stream: trailers, or the last data.
func answerOfHTTP2(from io.Reader) error {
	framer := http2.NewFramer(io.Discard, from)
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		ends := frame.Header().Flags.Has(http2.FlagDataEndStream) // the same bit as in HEADERS
		if kind := frame.Header().Type; ends && (kind == http2.FrameData || kind == http2.FrameHeaders) {
			return nil
		}
	}
}

// answerOver is how to read an answer in a protocol.
func answerOver(protocol servertest.Protocol) func(io.Reader) error {
	if slices.Contains([]string{"gRPC", "Connect proto over HTTP/2"}, protocol.Name) {
		return answerOfHTTP2
	}
	return answerOfHTTP1
}

func TestLostAnswer_OfARotation(t *testing.T) {
	const lost = 200
	s := servertest.Start(t)
	token, each := s.Token(t, servertest.ScopeManage), lost/len(servertest.Protocols())
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		line := startCutter(t, s, protocol)
		before := s.Create(t, servertest.Request())
		id, current, events := before.GetClientId(), before.GetClientSecret(), []string{"created 1 released"}
		for i := range each {
			key, version := protocol.Name+strings.Repeat("+", i), int64(i+2)
			_, err := line.Clients(protocol, token).RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), key), servertest.RotateRequest(id))
			if err == nil {
				t.Fatal("the answer was not lost")
			}
			answer := servertest.RotateWithKey(t, s.Clients(protocol, token), key, servertest.RotateRequest(id))
			if !bytes.Contains(<-line.lost, []byte(answer.GetClientSecret())) {
				t.Fatalf("the repeated call has another secret than the answer that was lost with: %v", err)
			}
			s.WantOnlySecret(t, id, version, answer.GetClientSecret(), current)
			current = answer.GetClientSecret()
			events = append(events, fmt.Sprintf("secret_rotated %d released", version), fmt.Sprintf("secret_read %d released", version))
		}
		s.WantEvents(t, id, events...)
	})
}

func TestLostAnswer_OfARegistration(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeManage, servertest.ScopeRead)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		line, clients := startCutter(t, s, protocol), s.Clients(protocol, token)
		request := servertest.Request()
		request.ApplicationId = &protocol.Name
		if _, err := line.Clients(protocol, token).CreateClient(servertest.WithIdempotencyKeys(t.Context(), protocol.Name), request); err == nil {
			t.Fatal("the answer was not lost")
		}
		made, err := clients.CreateClient(servertest.WithIdempotencyKeys(t.Context(), protocol.Name), request)
		if err != nil {
			t.Fatal(err)
		}
		list, err := clients.ListClients(t.Context(), &apiv1.ListClientsRequest{ApplicationId: &protocol.Name})
		if err != nil || len(list.GetClients()) != 1 || list.GetClients()[0].GetClientId() != made.GetClient().GetClientId() {
			t.Errorf("the list has %d clients, error %v, want the one", len(list.GetClients()), err)
		}
		s.WantOnlySecret(t, made.GetClient().GetClientId(), 1, made.GetClient().GetClientSecret())
	})
}
