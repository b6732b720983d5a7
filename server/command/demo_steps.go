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

// rotation runs the steps of the demo. It returns the id of the client it creates.
func (t *transcript) rotation(ctx context.Context) (clientID string, err error) {
	t.step("Create a confidential client. The answer carries its secret.")
	created, err := t.curl(ctx, clientsService+"CreateClient", demoClient)
	if err != nil {
		return "", err
	}
	clientID, before := created.text("Client", "clientId"), created.text("Client", "clientSecret")
	t.step("Verify that secret.")
	if err := t.verify(ctx, clientID, before, true); err != nil {
		return "", err
	}
	t.step("Rotate it: RegenerateSecret, asking for the new secret.")
	rotated, err := t.curl(ctx, clientsService+"RegenerateSecret", object("clientId", clientID, "includeSecret", true))
	if err != nil {
		return "", err
	}
	after := rotated.text("clientSecret")
	if after == "" || after == before {
		return "", errors.New("demo: the rotation did not give a new secret")
	}
	t.step("Verify the old secret: it is refused.")
	if err := t.verify(ctx, clientID, before, false); err != nil {
		return "", err
	}
	t.step("Verify the new secret: it is accepted.")
	return clientID, t.verify(ctx, clientID, after, true)
}

// verify prints a verification. It fails if the answer is not the expected one.
func (t *transcript) verify(ctx context.Context, clientID, secret string, want bool) error {
	verified, err := t.curl(ctx, secretsService+"VerifySecret", object("clientId", clientID, "secret", secret))
	if err != nil {
		return err
	}
	valid, isBool := verified["valid"].(bool)
	switch {
	case !isBool || valid != want:
		return errors.New("demo: the service gave the wrong answer about a secret")
	case want:
		t.verdict("accepted")
	default:
		t.verdict("refused")
	}
	return nil
}

// invite prints what the reader needs to rotate again by hand.
func (t *transcript) invite(clientID string) {
	t.sayf("\nThe service runs until Ctrl-C. To rotate again, paste this into another terminal:\n")
	t.sayf("TOKEN=%s\n", t.token)
	t.sayf("%s\n", t.command(clientsService+"RegenerateSecret", object("clientId", clientID, "includeSecret", true)))
}
