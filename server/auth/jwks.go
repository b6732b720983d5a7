package auth

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const maxKeyBits = 8192

// fetchKeys returns the usable keys the issuer publishes now.
func (r *RemoteKeys) fetchKeys(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	location := r.jwksURL
	if location == "" {
		var err error
		if location, err = r.discover(ctx); err != nil {
			return nil, err
		}
	}
	body, err := fetch(ctx, r.client, location)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeySet(body)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", location, err)
	}
	return keys, nil
}

// parseKeySet returns the keys of a JWK Set (RFC 7517) that can verify RS256,
// by id; of two with one id, the first. Others are skipped: a set may hold
// keys for other uses, or of kinds that are not known here. A set without
// keys is the issuer's word that none of its tokens is good.
func parseKeySet(document []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		// One by one, because go-jose refuses a whole set for one key.
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, err
	}
	if set.Keys == nil {
		return nil, errors.New("not a JWK Set")
	}
	keys := make(map[string]*rsa.PublicKey, len(set.Keys))
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(raw, &key); err != nil {
			continue
		}
		public, ok := usableKey(key)
		if _, taken := keys[key.KeyID]; ok && !taken {
			keys[key.KeyID] = public
		}
	}
	return keys, nil
}

// usableKey returns the RSA key of a JWK that is meant for RS256 signatures
// and is neither weak nor so large that verifying is a burden.
func usableKey(key jose.JSONWebKey) (*rsa.PublicKey, bool) {
	public, ok := key.Key.(*rsa.PublicKey)
	switch {
	case !ok,
		key.KeyID == "" || len(key.KeyID) > maxKeyIDBytes,
		key.Use != "" && key.Use != "sig",
		key.Algorithm != "" && key.Algorithm != string(jose.RS256),
		public.N.BitLen() < minKeyBits || public.N.BitLen() > maxKeyBits,
		public.E < 3 || public.E > 1<<31-1 || public.E%2 == 0:
		return nil, false
	default:
		return public, true
	}
}
