package hostile_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

const (
	// maxLogo is how large a logo may be. Its request is larger: base64.
	maxLogo        = 2 << 20
	maxLogoMessage = maxLogo*4/3 + servertest.MaxMessage
)

func TestLimits_RequestSize(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, o := range servertest.Operations(t) {
		limit := servertest.MaxMessage
		if o.Method.Name() == "UploadClientLogo" {
			limit = maxLogoMessage
		}
		for _, size := range []int{limit, limit + 1, 2 * limit} {
			body := servertest.PaddedJSON(size)
			inflating := s.NewRequest(t, o.Procedure(), token, bytes.NewReader(servertest.Gzip(t, body)))
			inflating.Header.Set("Content-Encoding", "gzip")
			for name, request := range map[string]*http.Request{
				"with their number": s.NewRequest(t, o.Procedure(), token, bytes.NewReader(body)),
				"in chunks":         s.NewRequest(t, o.Procedure(), token, io.MultiReader(bytes.NewReader(body))),
				"compressed":        inflating,
			} {
				response, answer := servertest.Do(t, request)
				tooLarge := response.StatusCode == http.StatusTooManyRequests && strings.Contains(string(answer), `"code":"resource_exhausted"`)
				if tooLarge != (size > limit) {
					t.Errorf("%s of %d bytes %s: got %s: %.300s", o, size, name, response.Status, answer)
				}
				servertest.WantNoLeak(t, servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)})
			}
		}
	}
	s.WantCalm(t)
}

func TestLimits_EndlessBody(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	const size, most = 1 << 30, 64 << 20 // what the kernel takes in advance counts too
	for _, tt := range []struct {
		name, path, token string
		status            int
	}{
		{"with a token", servertest.ClientsPath + "GetClient", s.Token(t, servertest.ScopeRead), http.StatusTooManyRequests},
		{"without a token", servertest.ClientsPath + "GetClient", "", http.StatusUnauthorized},
		{"of a method that needs none", publicClients, "", http.StatusTooManyRequests},
		{"of an upload", servertest.ClientsPath + "UploadClientLogo", s.Token(t, servertest.ScopeManage), http.StatusTooManyRequests},
		{"of a health check", "/grpc.health.v1.Health/Check", "", http.StatusTooManyRequests},
		{"to nowhere", "/nowhere", "", http.StatusNotFound},
	} {
		body := &counted{Reader: io.LimitReader(spaces{}, size)}
		response, answer := servertest.Do(t, s.NewRequest(t, tt.path, tt.token, body))
		if response.StatusCode != tt.status {
			t.Errorf("%s: got %s: %.300s", tt.name, response.Status, answer)
		}
		if n := body.read.Load(); n > most {
			t.Errorf("%s: the server has taken %d MiB", tt.name, n>>20)
		}
	}
	s.WantCalm(t)
}

// A list that is too long is told of once, and not once for each element.
func TestLimits_ListsOf100(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	lists := 0
	for _, o := range servertest.Operations(t) {
		request := o.Request(t, "550e8400-e29b-41d4-a716-446655440000", "secret")
		eachList(request, "", func(path string, list protoreflect.List) {
			lists++
			tooLong := "validation error: " + path + ": must contain no more than 100 items"
			for _, length := range []int{100, 101, 20000} {
				for list.Len() < length {
					list.Append(list.NewElement())
				}
				_, err := s.Call(t.Context(), overProto, token, o.Method, request)
				if got := servertest.CallErrorOf(err); (got.Message == tooLong) != (length > 100) {
					t.Errorf("%s: %d elements in %s: got %.500s", o, length, path, got.Message)
				}
			}
			list.Truncate(0)
		})
	}
	if lists < 8 {
		t.Errorf("found only %d lists in the requests", lists)
	}
	s.WantCalm(t)
}

// eachList visits the lists of a request and of its field mask.
func eachList(message protoreflect.Message, path string, visit func(path string, list protoreflect.List)) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		switch field := fields.Get(i); {
		case field.IsList():
			visit(path+string(field.Name()), message.Mutable(field).List())
		case field.Kind() == protoreflect.MessageKind:
			eachList(message.Mutable(field).Message(), path+string(field.Name())+".", visit)
		}
	}
}

func TestLimits_HeaderSize(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	large := strings.Repeat("x", 64<<10)
	testWire(t, s, []wireCase{
		{"a large field", httpGet("/livez", "X: "+large), 431, ""},
		{"a field with a large name", httpGet("/livez", large+": x"), 431, ""},
		{"many fields", httpGet("/livez", strings.Split(strings.Repeat("X: x\n", 10000), "\n")[:9999]...), 431, ""},
		{"a large path", httpGet("/" + large), 431, ""},
		{"a large query", httpGet(publicClients + "?message=" + large), 431, ""},
		{"a large token", servertest.RawPost(servertest.ClientsPath+"ListClients", "{}", servertest.JSONType, "Authorization: Bearer "+large), 431, ""},
	})
	// As large as a token may be, with room for the rest.
	token := s.Mint(t, issuer.Grant{Scopes: []string{servertest.ScopeRead, strings.Repeat("x", 5500)}})
	if response, body := s.PostJSON(t, servertest.ClientsPath+"ListClients", token, "{}"); response.StatusCode != http.StatusOK {
		t.Errorf("a token of %d bytes: got %s: %s", len(token), response.Status, body)
	}
}

// spaces has no end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// counted counts what was read.
type counted struct {
	io.Reader

	read atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read.Add(int64(n))
	return n, err
}
