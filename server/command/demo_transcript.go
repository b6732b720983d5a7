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

// The colours, used only on a terminal.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

// transcript makes calls, and prints them as curl commands with their answers.
type transcript struct {
	out        io.Writer
	colour     bool
	url, token string
	steps      int
}

// answer is a JSON answer.
type answer map[string]any

// text returns the string at the end of a path of names, or an empty one.
func (a answer) text(path ...string) string {
	var value any = map[string]any(a)
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	text, _ := value.(string)
	return text
}

// object returns a JSON object of alternating names and values.
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

func (t *transcript) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format+"\n", args...) // the demo goes on without a reader
}

func (t *transcript) step(title string) {
	t.steps++
	t.sayf("\n%s", t.in(bold, fmt.Sprintf("%d. %s", t.steps, title)))
}

func (t *transcript) verdict(text string) { t.sayf("%s", t.in(green, "=> "+text)) }

func (t *transcript) in(colour, text string) string {
	if !t.colour {
		return text
	}
	return colour + text + plain
}

// command returns a call as a curl command, with the token in a variable.
func (t *transcript) command(path, body string) string {
	return strings.Join([]string{
		"curl -X POST " + t.url + path,
		`  -H "Authorization: Bearer $TOKEN"`,
		`  -H "Connect-Protocol-Version: 1"`,
		`  -H "Content-Type: application/json"`,
		"  -d '" + body + "'",
	}, " \\\n")
}

// curl makes a call, and prints it and its answer. Any status but 200 is an error.
func (t *transcript) curl(ctx context.Context, path, body string) (answer, error) {
	t.sayf("%s", t.in(dim, "$ "+t.command(path, body)))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+t.token)
	request.Header.Set("Connect-Protocol-Version", "1")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	return t.read(path, response)
}

func (t *transcript) read(path string, response *http.Response) (answer, error) {
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("demo: read answer: %w", err)
	}
	var indented bytes.Buffer
	parsed := answer{}
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return nil, fmt.Errorf("demo: %s answered %s, which is not JSON", path, response.Status)
	}
	t.sayf("%s", indented.String())
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("demo: %s answered %s", path, response.Status)
	}
	return parsed, json.Unmarshal(text, &parsed)
}
