package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxReason bounds the reason of a refusal, in bytes.
const maxReason = 1 << 10

// Healthcheck asks a running service if it is ready.
type Healthcheck struct {
	URL     string        `name:"url" default:"http://127.0.0.1:8080" help:"URL of the service."`
	Timeout time.Duration `name:"healthcheck-timeout" default:"3s" help:"Longest time to wait for the answer."`
}

// Help returns the text of healthcheck --help.
func (Healthcheck) Help() string {
	return `Exits with 0 if the service is ready, and with 1 and the reason if it is not. For containers and process managers.

Example:

    clientsd healthcheck --url http://127.0.0.1:8080`
}

// Validate refuses a time in which nothing can be answered.
func (c Healthcheck) Validate() error { return positive("--healthcheck-timeout", c.Timeout) }

// Run fails unless the service answers that it is ready.
func (c Healthcheck) Run(env *Environment) error {
	ctx, cancel := context.WithTimeout(env.Context, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer response.Body.Close()                                       //nolint:errcheck // it was only read
	reason, _ := io.ReadAll(io.LimitReader(response.Body, maxReason)) // the status says enough
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(reason)))
	}
	remark, _ := strings.CutPrefix(strings.TrimSpace(string(reason)), "ok")
	_, err = fmt.Fprintln(env.Stdout, strings.TrimSpace("ready "+strings.TrimSpace(remark)))
	return err
}
