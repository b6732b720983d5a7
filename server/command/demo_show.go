package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// The colours of a terminal, used on a terminal only.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

// showing prints calls as curl commands with their answers, and makes them.
type showing struct {
	out        io.Writer
	colour     bool
	url, token string
	steps      int
}

// answer is a JSON answer.
type answer map[string]any

// text is the string at the end of a path of names, or empty.
func (a answer) text(path ...string) string {
	var value any = map[string]any(a)
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	text, _ := value.(string)
	return text
}

// object is a JSON object of names and values in turn.
func object(pairs ...any) string {
	parts := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		value, err := json.Marshal(pairs[i+1])
		if err != nil {
			panic(err) //nolint:forbidigo // the values are strings and booleans
		}
		parts = append(parts, fmt.Sprintf("%q: %s", pairs[i], value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (s *showing) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...) // the demo goes on without a reader
}

func (s *showing) step(title string) {
	s.steps++
	s.sayf("\n%s", s.in(bold, fmt.Sprintf("%d. %s", s.steps, title)))
}

func (s *showing) verdict(text string) { s.sayf("%s", s.in(green, "=> "+text)) }

func (s *showing) in(colour, text string) string {
	if !s.colour {
		return text
	}
	return colour + text + plain
}

// command is a call as a curl command, with the token in a variable.
func (s *showing) command(path, body string) string {
	return strings.Join([]string{
		"curl -X POST " + s.url + path,
		`  -H "Authorization: Bearer $TOKEN"`,
		`  -H "Connect-Protocol-Version: 1"`,
		`  -H "Content-Type: application/json"`,
		"  -d '" + body + "'",
	}, " \\\n")
}

// curl makes a call and shows both it and its answer. Any status but 200 is an
// error.
func (s *showing) curl(ctx context.Context, path, body string) (answer, error) {
	s.sayf("%s", s.in(dim, "$ "+s.command(path, body)))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Connect-Protocol-Version", "1")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	return s.read(path, response)
}

func (s *showing) read(path string, response *http.Response) (answer, error) {
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("demo: read answer: %w", err)
	}
	var indented bytes.Buffer
	parsed := answer{}
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return nil, fmt.Errorf("demo: %s answered %s, which is not JSON", path, response.Status)
	}
	s.sayf("%s", indented.String())
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("demo: %s answered %s", path, response.Status)
	}
	return parsed, json.Unmarshal(text, &parsed)
}
