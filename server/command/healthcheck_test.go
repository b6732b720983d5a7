package command_test

import (
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/auth/authtest"
	"clientsd/server/command"
	"clientsd/server/servertest"
)

func TestHealthcheck_SaysWhatIsMissing(t *testing.T) {
	alive, dead := authtest.NewIssuer(t, authtest.NewKey(t, "key-1")), authtest.NewIssuer(t)
	for want, issuers := range map[string][]*authtest.Issuer{
		"ready\n": {alive},
		"ready but the keys of 1 of 2 issuers are not loaded, and their tokens are not accepted: see the log\n": {alive, dead},
	} {
		s := servertest.Start(t, func(c *server.Config) {
			c.Audience = "clients"
			for _, issuer := range issuers {
				c.Issuers = append(c.Issuers, server.TrustedIssuer{URL: issuer.URL})
			}
		})
		check := command.Healthcheck{URL: s.URL, Timeout: time.Second}
		var got string
		for deadline := time.Now().Add(10 * time.Second); got == "" && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			got, _ = said(t, check.Run) // until the keys are loaded
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		none := servertest.Start(t, func(c *server.Config) {
			c.Audience, c.Issuers = "clients", []server.TrustedIssuer{{URL: dead.URL}}
		})
		check.URL = none.URL
		if got, err := said(t, check.Run); err == nil || err.Error() != "not ready: no issuer's keys are loaded: see the log" || got != "" {
			t.Errorf("got %q, error %v", got, err)
		}
	}
}
