package servertest

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"clientsd/server"
)

// A SlowCall is a call whose body the server has begun to read and waits for.
type SlowCall struct {
	body    *io.PipeWriter
	rest    string
	answer  chan *http.Response
	failure chan error
}

// StartSlowly sends half of a call and returns when the server has begun to read
// it. Nothing of the body is sent before the server asks for it with 100 Continue.
func StartSlowly(t *testing.T, url, procedure, token, text string) *SlowCall {
	t.Helper()
	body, sent := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+procedure, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	c := &SlowCall{body: sent, rest: text[len(text)/2:], answer: make(chan *http.Response, 1), failure: make(chan error, 1)}
	go func() {
		response, err := client.Do(request)
		c.answer <- response
		c.failure <- err
	}()
	if _, err := io.WriteString(sent, text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	return c
}

// RotateSlowly starts a RegenerateSecret that asks for the secret.
func (s *Server) RotateSlowly(t *testing.T, clientID string) *SlowCall {
	t.Helper()
	return StartSlowly(t, s.URL, ClientsPath+"RegenerateSecret", s.Token(t, All...),
		fmt.Sprintf(`{"clientId": %q, "includeSecret": true}`, clientID))
}

// Hold calls rotate, which must rotate this client, and returns when it waits for the
// database. It has the only place of a server with OneCallAtATime then. While rotate
// reports that the server was busy with something else, Hold calls it again. release
// lets it go on and waits for its end.
func (s *Server) Hold(t *testing.T, clientID string, rotate func() (busy bool)) (release func()) {
	t.Helper()
	tx, err := s.Database(t).Write.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.OAuthClient.UpdateOneID(uuid.MustParse(clientID)).AddRevision(0).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for rotate() {
		}
	}()
	token := s.Token(t, ScopeRead)
	Eventually(t, "the server is busy", func() bool {
		response, _ := s.PostJSON(t, ClientsPath+"GetClient", token, "{}")
		return response.StatusCode == http.StatusServiceUnavailable
	})
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		<-ended
	}
}

// Finish sends the rest of the call and returns its answer.
func (c *SlowCall) Finish(t *testing.T) map[string]any {
	t.Helper()
	if _, err := io.WriteString(c.body, c.rest); err != nil {
		t.Fatal(err)
	}
	if err := c.body.Close(); err != nil {
		t.Fatal(err)
	}
	response := <-c.answer
	if err := <-c.failure; err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s: %s (%v)", response.Status, text, err)
	}
	return Object(t, text)
}

// OneCallAtATime makes the server refuse a second concurrent call.
func OneCallAtATime(c *server.Config) { c.MaxInFlight = 1 }

// TooManyCalls is what a caller reads whose call is one too many.
const TooManyCalls = "too many concurrent calls, or shutting down: try again in a second"

// Concurrently runs body n times, all of them concurrently, and waits for their end.
func Concurrently(n int, body func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { body(i) })
	}
	group.Wait()
}
