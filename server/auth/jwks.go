package auth

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// publicJWK holds the members of a JWK that make a public key. Nothing else is
// given to go-jose, which refuses a key for a certificate that it cannot read.
type publicJWK struct {
	Type  string `json:"kty"`
	Curve string `json:"crv,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
}

// keyDocument is what a JWK Set holds, as far as it can be used.
type keyDocument struct {
	keys    map[KeyRef]crypto.PublicKey
	skipped []skippedKey
}

// skippedKey is a key of a JWK Set that cannot be used. ID is empty if it has
// none.
type skippedKey struct {
	ID, Reason string
}

// fetchKeys returns the keys that the issuer publishes now.
func (r *RemoteKeys) fetchKeys(ctx context.Context) (keyDocument, error) {
	location := r.jwksURL
	if location == "" {
		var err error
		if location, err = r.discover(ctx); err != nil {
			return keyDocument{}, err
		}
	}
	body, err := fetch(ctx, r.client, location)
	if err != nil {
		return keyDocument{}, err
	}
	document, err := parseKeySet(body, r.algorithms)
	if err != nil {
		return keyDocument{}, fmt.Errorf("decode %s: %w", location, err)
	}
	return document, nil
}

// parseKeySet returns the keys of a JWK Set (RFC 7517) that can verify one of the
// algorithms; of two with one id, the first. Others are skipped: a set may hold
// keys for other uses, or of kinds that are not known here. A set without keys
// is the issuer's word that none of its tokens is good.
func parseKeySet(document []byte, algorithms []string) (keyDocument, error) {
	var set struct {
		// One by one, because go-jose refuses a whole set for one key.
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return keyDocument{}, err
	}
	if set.Keys == nil {
		return keyDocument{}, errors.New("not a JWK Set")
	}
	found := keyDocument{keys: make(map[KeyRef]crypto.PublicKey, len(set.Keys))}
	for _, raw := range set.Keys {
		if id, err := found.add(raw, algorithms); err != nil {
			found.skipped = append(found.skipped, skippedKey{ID: id, Reason: err.Error()})
		}
	}
	return found, nil
}

// add takes one key, or returns why it cannot be used.
func (d *keyDocument) add(raw json.RawMessage, algorithms []string) (id string, err error) {
	var jwk map[string]json.RawMessage
	if err := json.Unmarshal(raw, &jwk); err != nil || jwk == nil {
		return "", errors.New("it is no JSON object, or one that names a member twice")
	}
	if id, err = readKeyID(jwk); err != nil {
		return id, err
	}
	if err := checkUse(jwk); err != nil {
		return id, err
	}
	key, err := readKey(raw)
	if err != nil {
		return id, err
	}
	usable, err := usableFor(jwk, key, algorithms)
	if err != nil {
		return id, err
	}
	taken := true
	for _, algorithm := range usable {
		ref := KeyRef{ID: id, Algorithm: algorithm}
		if _, ok := d.keys[ref]; !ok {
			d.keys[ref], taken = key, false
		}
	}
	if taken {
		return id, errors.New("another key has the same id")
	}
	return id, nil
}

// readKeyID returns the id of a key. One that is too long is returned cut, with
// the error.
func readKeyID(jwk map[string]json.RawMessage) (string, error) {
	id, err := textOf(jwk, "kid")
	switch {
	case err != nil:
		return "", err
	case id == "":
		return "", errors.New("it has no id (kid)")
	case len(id) > maxKeyIDBytes:
		return strings.ToValidUTF8(id[:maxKeyIDBytes], ""), fmt.Errorf("its id (kid) is longer than %d bytes", maxKeyIDBytes)
	default:
		return id, nil
	}
}

// readKey returns the public key of a JWK. Whatever else the JWK holds, such as
// certificates, is ignored.
func readKey(raw json.RawMessage) (crypto.PublicKey, error) {
	var public publicJWK
	if err := json.Unmarshal(raw, &public); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	encoded, err := json.Marshal(public)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(encoded, &key); err != nil {
		return nil, fmt.Errorf("it cannot be read: %s", strings.TrimPrefix(err.Error(), "go-jose/go-jose: "))
	}
	return key.Key, nil
}

// checkUse refuses a key that is, by its own word, for something else, or that is
// not public.
func checkUse(jwk map[string]json.RawMessage) error {
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, ok := jwk[name]; ok {
			return fmt.Errorf("it is not public: it has the member %s", name)
		}
	}
	use, err := textOf(jwk, "use")
	if err != nil {
		return err
	}
	if use != "" && use != "sig" {
		return fmt.Errorf("it is not for signatures: its use is %.40q", use)
	}
	raw, ok := jwk["key_ops"]
	if !ok {
		return nil
	}
	var operations []string
	if err := json.Unmarshal(raw, &operations); err != nil || !slices.Contains(operations, "verify") {
		return errors.New("it is not for verifying: its key_ops do not say so")
	}
	return nil
}

// usableFor returns those of the accepted algorithms that a key is for.
func usableFor(jwk map[string]json.RawMessage, key crypto.PublicKey, accepted []string) ([]string, error) {
	own, err := textOf(jwk, "alg")
	if err != nil {
		return nil, err
	}
	if own == "Ed25519" {
		own = string(jose.EdDSA) // RFC 9864 renamed it
	}
	possible := algorithmsOf(key)
	if own != "" {
		possible = slices.DeleteFunc(possible, func(name string) bool { return name != own })
	}
	usable := slices.DeleteFunc(slices.Clone(possible), func(name string) bool { return !slices.Contains(accepted, name) })
	if len(usable) == 0 {
		return nil, fmt.Errorf("it is for %s, and only tokens that are signed with %s are accepted of this issuer",
			cmp.Or(list(possible), fmt.Sprintf("%.40q", own)), list(accepted))
	}
	return usable, checkKey(key, usable[0])
}

// textOf returns a member that is text, or empty if it is absent.
func textOf(jwk map[string]json.RawMessage, name string) (string, error) {
	raw, ok := jwk[name]
	if !ok {
		return "", nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("its member %s is not a string", name)
	}
	return text, nil
}
