package hostile_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

// few is an option: the server has room for few calls, so that a flood can be small.
func few(c *server.Config) { c.MaxInFlight = fewCalls }

const (
	fewCalls = 16
	flooding = 10 * fewCalls
	// largeCalls is for how many large messages there is room.
	largeCalls = 8

	upload  = servertest.ClientsPath + "UploadClientLogo"
	listing = servertest.ClientsPath + "ListClients"
)

// length promises a body that does not come.
var length = []string{"content-type", "application/json", "content-length", "50"}

// wantServed fails the test unless calls are answered over new connections. A public
// one may come while the flood still works on its way in.
func wantServed(t *testing.T, s *servertest.Server, id string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	send := func(request *http.Request) (status int, body []byte) {
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err = io.ReadAll(response.Body); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, body
	}
	token := s.Token(t, servertest.ScopeManage)
	if status, body := send(s.NewRequest(t, servertest.ClientsPath+"RegenerateSecret", token, strings.NewReader(`{"clientId":"`+id+`"}`))); status != http.StatusOK {
		t.Errorf("a rotation: got status %d: %s", status, body)
	}
	ready := s.NewRequest(t, "/readyz", "", nil)
	ready.Method = http.MethodGet
	if status, body := send(ready); status != http.StatusOK {
		t.Errorf("/readyz: got status %d: %s", status, body)
	}
	servertest.Eventually(t, "a public method is answered", func() bool {
		status, _ := send(s.NewRequest(t, publicClients, "", strings.NewReader(nobodysID)))
		return status == http.StatusOK
	})
}

// describe makes clients with long descriptions, and returns the path that answers
// with all of them.
func describe(t *testing.T, s *servertest.Server, clients int) string {
	t.Helper()
	ids := make([]string, clients)
	for i := range ids {
		request := servertest.PublicRequest()
		request.Description = strings.Repeat("🦊", 256)
		ids[i] = `"` + s.Create(t, request).GetClientId() + `"`
	}
	message := `{"clientId":[` + strings.Join(ids, ",") + `]}`
	return publicClients + "?connect=v1&encoding=json&message=" + url.QueryEscape(message)
}

// Whatever needs no token, and a token itself, holds nothing while its caller is
// waited for.
func TestFlood_CallsAreServed(t *testing.T) {
	t.Parallel()
	for name, flood := range map[string]func(t *testing.T, s servertest.Watched){
		"bodies of a public method": func(t *testing.T, s servertest.Watched) {
			s.Flood(t, flooding, http.MethodPost, publicClients, length...)
			waits(t, s)
		},
		"bodies over HTTP/1.1": func(t *testing.T, s servertest.Watched) {
			text := servertest.RawPost(publicClients, strings.Repeat(" ", 50), servertest.JSONType)
			s.FloodHTTP1(t, flooding, strings.TrimRight(text, " "))
			waits(t, s)
		},
		"bodies of gRPC health checks": func(t *testing.T, s servertest.Watched) {
			s.Flood(t, flooding, http.MethodPost, healthCheck, "content-type", "application/grpc", "te", "trailers")
			waits(t, s)
		},
		"streams of reflection": func(t *testing.T, s servertest.Watched) {
			s.Flood(t, flooding, http.MethodPost, reflection, "content-type", "application/grpc", "te", "trailers")
			waits(t, s)
		},
		"answers of a public method": func(t *testing.T, s servertest.Watched) {
			s.Flood(t, flooding, http.MethodGet, describe(t, s.Server, 40))
			waits(t, s)
		},
		"logos": func(t *testing.T, s servertest.Watched) {
			path, _ := storeLogo(t, s.Server, 1<<20)
			s.Flood(t, flooding, http.MethodGet, path)
			waits(t, s)
		},
		"the OpenAPI document": func(t *testing.T, s servertest.Watched) {
			s.Flood(t, flooding, http.MethodGet, "/openapi.yaml")
			waits(t, s)
		},
		"calls without a token": func(t *testing.T, s servertest.Watched) {
			flood := s.Flood(t, flooding, http.MethodPost, listing, length...)
			servertest.Eventually(t, "they are refused", func() bool { return flood.Answers("401") == flooding })
		},
		"calls without a scope": func(t *testing.T, s servertest.Watched) {
			flood := s.Flood(t, flooding, http.MethodPost, upload, append(length, "authorization", "Bearer "+s.Token(t, servertest.ScopeRead))...)
			servertest.Eventually(t, "they are refused", func() bool { return flood.Answers("403") == flooding })
		},
		"bodies of calls with a token": func(t *testing.T, s servertest.Watched) {
			flood := s.Flood(t, flooding, http.MethodPost, listing, append(length, "authorization", "Bearer "+s.Token(t, servertest.ScopeRead))...)
			servertest.Eventually(t, "those over four times the bound end", func() bool { return flood.Answers("503") == flooding-4*fewCalls })
		},
		"answers of calls with a token": func(t *testing.T, s servertest.Watched) {
			describe(t, s.Server, 40)
			flood := s.Flood(t, flooding, http.MethodPost, listing,
				"content-type", "application/proto", "content-length", "0", "authorization", "Bearer "+s.Token(t, servertest.ScopeRead))
			servertest.Eventually(t, "all are answered, refused or ended", func() bool { return flood.Answered() == flooding && isBounded(t, s) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.StartWatched(t, few)
			id := s.Create(t, servertest.Request()).GetClientId()
			flood(t, s)
			wantServed(t, s.Server, id)
		})
	}
}

// waits waits until the server holds no more of a flood than it has room for.
func waits(t *testing.T, s servertest.Watched) {
	t.Helper()
	servertest.Eventually(t, "the server has ended those that are too many, and says so", func() bool {
		return isBounded(t, s) && strings.Contains(s.Logs.String(), "too many requests wait for their callers")
	})
}

func isBounded(t *testing.T, s servertest.Watched) bool {
	t.Helper()
	inFlight := s.Named(t, "clientsd_calls_in_flight")[""]
	return inFlight > 0 && inFlight <= 4*fewCalls
}

// However many read logos and however slowly, the server keeps few images. The heap
// is that of the process: this test runs alongside no other.
func TestFlood_LogosShareMemory(t *testing.T) {
	s := servertest.Start(t)
	const logos, size, most = 24, 4 << 20, 64 << 20
	images := map[string][]byte{}
	for range logos {
		path, image := storeLogo(t, s, size)
		images[path] = image
	}
	before := heap()
	floods := map[string]*servertest.Flood{}
	for path := range images {
		floods[path] = s.Flood(t, 10, http.MethodGet, path)
	}
	for path, flood := range floods {
		servertest.Eventually(t, path+" is sent", func() bool { return flood.Answers("200") == 10 })
	}
	if held := heap() - before; held > most {
		t.Errorf("the server holds %d MiB", held>>20)
	}
	for path, want := range images {
		if response, got := s.Get(t, path); response.StatusCode != http.StatusOK || !bytes.Equal(got, want) {
			t.Errorf("%s: got %s, %d bytes", path, response.Status, len(got))
		}
	}
	s.WantCalm(t)
}

// storeLogo gives a new client a logo that is larger than any real one.
func storeLogo(t *testing.T, s *servertest.Server, size int) (path string, image []byte) {
	t.Helper()
	id, hash := s.Create(t, servertest.PublicRequest()).GetClientId(), strings.ReplaceAll(uuid.NewString(), "-", "")
	image = bytes.Repeat([]byte(hash), size/len(hash))
	tx, err := s.Database(t).Write.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx.ClientLogo.Create().SetClientID(uuid.MustParse(id)).SetPng(image).ExecX(t.Context())
	tx.OAuthClient.UpdateOneID(uuid.MustParse(id)).SetLogoHash(hash).ExecX(t.Context())
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return "/logos/" + id + "/" + hash + ".png", image
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Three organisations hold back the bodies of their uploads. There is room for a
// fourth.
func TestFlood_UploadsOfOtherOrganisations(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	begun := 0
	for i, most := range []int{largeCalls / 2, largeCalls / 4, largeCalls / 8} {
		token := s.Mint(t, issuer.Grant{Scopes: []string{servertest.ScopeManage}, Organisation: fmt.Sprint("other", i)})
		flood := s.Flood(t, 50, http.MethodPost, upload, "content-type", "application/json", "content-length", "2000000",
			"expect", "100-continue", "authorization", "Bearer "+token)
		servertest.Eventually(t, "its share is read", func() bool { return flood.Answers("100") == most })
		s.UploadLogo(t, id)
		begun += flood.Answers("100")
	}
	if begun != largeCalls-1 {
		t.Errorf("the server has begun to read %d uploads of others, want %d", begun, largeCalls-1)
	}
}

// A token that lacks the scope for every message is refused before there is one.
func TestScope_RefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, "oauth:clients:rotate:self") // issued to no client
	for procedure, rule := range auth.NewRules("") {
		if rule.Public || rule.Also != nil { // which scopes are missing depends on the message
			continue
		}
		for _, contentType := range []string{"application/json", "application/proto", grpcType, grpcWebType} {
			response, answer := withoutBody(t, s, procedure, token, contentType)
			status := connectStatus
			if strings.HasPrefix(contentType, grpcType) {
				status = func(t *testing.T, response *http.Response, body []byte) rpcStatus { return statusOf(t, response, body) }
			}
			got := status(t, response, answer)
			if got.code != connect.CodePermissionDenied || !strings.HasPrefix(got.message, "the access token lacks the scope") {
				t.Errorf("%s, %s: got %v", procedure, contentType, got)
			}
			if response.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: the answer has no challenge", procedure, contentType)
			}
		}
	}
	for _, path := range []string{servertest.VigiloPath(uuid.NewString()), servertest.ZitadelPath(servertest.Application, uuid.NewString())} {
		if response, answer := withoutBody(t, s, path, token, "application/json"); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: got %s: %s", path, response.Status, answer)
		}
	}
	s.WantCalm(t)
}

// withoutBody sends a request whose body does not come, and reads the answer.
func withoutBody(t *testing.T, s *servertest.Server, path, token, contentType string) (*http.Response, []byte) {
	t.Helper()
	body, never := io.Pipe()
	defer never.Close()
	request := s.NewRequest(t, path, token, body)
	request.Header.Set("Content-Type", contentType)
	response, err := servertest.HTTPClient(true).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, answer
}

// The server ends a request whose body does not come, soon unless it has a token.
func TestBody_DoesNotCome(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	call := servertest.StartSlowly(t, s.URL, listing, s.Token(t, servertest.ScopeRead), "{}")
	conns := map[string]net.Conn{}
	for _, path := range []string{publicClients, listing, healthCheck, "/nowhere", "/livez", servertest.VigiloPath("x"), servertest.ZitadelPath("x", "x")} {
		conns[path] = s.Dial(t)
		if _, err := fmt.Fprintf(conns[path], "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
	}
	for path, conn := range conns {
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode < http.StatusBadRequest || response.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s: got %v (%v)", path, response, err)
		}
	}
	call.Finish(t) // which has begun before the others
	s.WantCalm(t)
}

// The server ends a request whose answer nobody reads, over either version of HTTP.
func TestAnswer_IsNotRead(t *testing.T) {
	t.Parallel()
	s := servertest.StartWatched(t)
	logo, _ := storeLogo(t, s.Server, 16<<20) // more than the kernel keeps
	s.Flood(t, 1, http.MethodGet, logo)
	s.Flood(t, 1, http.MethodGet, describe(t, s.Server, 40))
	s.FloodHTTP1(t, 1, "GET "+logo+" HTTP/1.1\r\nHost: x\r\n\r\n")
	s.Want(t, "clientsd_calls_in_flight", map[string]float64{"": 3})
	servertest.Eventually(t, "they end", func() bool { return len(s.Named(t, "clientsd_calls_in_flight")) == 0 })
}
