package auth

import "crypto"

// ParseKeySet reads a JWK Set, and says how many of its keys it skips.
func ParseKeySet(document []byte, algorithms []string) (keys map[KeyRef]crypto.PublicKey, skipped int, err error) {
	found, err := parseKeySet(document, algorithms)
	return found.keys, len(found.skipped), err
}
