package command

import (
	"context"
	"errors"
)

const (
	clientsService = "/xeonr.auth.api.v1.ClientsService/"
	secretsService = "/clientsd.v1.SecretsService/"
)

// demoClient is the client that the demo registers.
const demoClient = `{
  "hasSecret": true,
  "name": "My OAuth App",
  "redirectUri": "https://myapp.example.com/oauth/callback",
  "websiteUrl": "https://myapp.example.com",
  "description": "A sample OAuth application",
  "supportsCodeGrant": true,
  "supportsRefreshToken": true
}`

// rotation is the demo itself. It returns the id of the client it made.
func (s *showing) rotation(ctx context.Context) (clientID string, err error) {
	s.step("Create a confidential client. The answer carries its secret.")
	created, err := s.curl(ctx, clientsService+"CreateClient", demoClient)
	if err != nil {
		return "", err
	}
	clientID, before := created.text("Client", "clientId"), created.text("Client", "clientSecret")
	s.step("Verify that secret.")
	if err := s.verify(ctx, clientID, before, true); err != nil {
		return "", err
	}
	s.step("Rotate it: RegenerateSecret, asking for the new secret.")
	rotated, err := s.curl(ctx, clientsService+"RegenerateSecret", object("clientId", clientID, "includeSecret", true))
	if err != nil {
		return "", err
	}
	after := rotated.text("clientSecret")
	if after == "" || after == before {
		return "", errors.New("demo: the rotation did not give a new secret")
	}
	s.step("The old secret is refused from that moment.")
	if err := s.verify(ctx, clientID, before, false); err != nil {
		return "", err
	}
	s.step("The new one is accepted.")
	return clientID, s.verify(ctx, clientID, after, true)
}

// verify shows a verification, and fails if it is not as it should be.
func (s *showing) verify(ctx context.Context, clientID, secret string, want bool) error {
	verified, err := s.curl(ctx, secretsService+"VerifySecret", object("clientId", clientID, "secret", secret))
	if err != nil {
		return err
	}
	valid, isBool := verified["valid"].(bool)
	switch {
	case !isBool || valid != want:
		return errors.New("demo: the service says the wrong thing about a secret")
	case want:
		s.verdict("accepted")
	default:
		s.verdict("refused")
	}
	return nil
}

// invite gives the reader what it takes to go on by hand.
func (s *showing) invite(clientID string) {
	s.sayf("\nThe service goes on until Ctrl-C. To rotate once more, paste this into another terminal:\n")
	s.sayf("TOKEN=%s\n", s.token)
	s.sayf("%s\n", s.command(clientsService+"RegenerateSecret", object("clientId", clientID, "includeSecret", true)))
}
