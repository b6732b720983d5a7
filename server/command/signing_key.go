package command

import (
	"fmt"

	"clientsd/server/issuer"
	"clientsd/server/storage"
)

// SigningKey groups the commands for the keys of the built-in issuer.
type SigningKey struct {
	Rotate SigningKeyRotate `cmd:"" help:"Sign tokens with a new key."`
}

// SigningKeyRotate creates a new signing key.
type SigningKeyRotate struct{ dataFlags }

// Help returns the text of signing-key rotate --help.
func (SigningKeyRotate) Help() string {
	return `Creates a new key that signs tokens from now on. Servers may run meanwhile. Older tokens stay valid until they expire, and their public key stays in /.well-known/jwks.json until then.

Example:

    clientsd signing-key rotate --data-dir ./clientsd-data`
}

// Run creates the key and prints its id.
func (c SigningKeyRotate) Run(env *Environment) error {
	return c.withStorage(env, func(s *storage.Storage) error {
		signer, err := issuer.Open(env.Context, issuer.Database{Read: s.DB.Read, Transact: s.DB.Serialise}, s.Keyset)
		if err != nil {
			return err
		}
		keyID, err := signer.Rotate(env.Context)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "tokens are signed with key %s from now on\n", keyID)
		return err
	})
}
