package nearest_test

import (
	"strings"
	"testing"

	"clientsd/server/nearest"
)

func TestName(t *testing.T) {
	t.Parallel()
	known := []string{"oauth:clients:read", "oauth:clients:rotate", "oauth:clients:rotate:self", "client:manage", "admin"}
	for name, want := range map[string]string{
		"oauth:client:read":         "oauth:clients:read",
		"oauth:clients:red":         "oauth:clients:read",
		"OAUTH:CLIENTS:READ":        "oauth:clients:read",
		"oauth.clients.read":        "oauth:clients:read",
		"rotate:self":               "oauth:clients:rotate:self",
		"self":                      "oauth:clients:rotate:self",
		"read":                      "oauth:clients:read",
		"admn":                      "admin",
		"oauth:clients:rotate":      "oauth:clients:rotate",
		"openid":                    "",
		"":                          "",
		"x":                         "",
		strings.Repeat("x", 10_000): "",
	} {
		if got := nearest.Name(name, known); got != want {
			t.Errorf("%.40q: got %q, want %q", name, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	known := []string{"admin"}
	for name, want := range map[string]string{"amdin": ", did you mean admin?", "openid": ""} {
		if got := nearest.DidYouMean(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
