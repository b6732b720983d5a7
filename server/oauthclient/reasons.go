package oauthclient

import "slices"

// Reasons returns the reason of every failure of this package that a caller can
// see, in alphabetical order.
func Reasons() []string {
	failures := []*Error{
		ErrNotFound, ErrSecretNotFound, ErrExists, ErrPublicClient, ErrVersion, ErrKeyInUse, ErrKeyMismatch, ErrSuperseded, ErrConflict, ErrDamagedSecret, ErrKeyNotLoaded,
		errOutcomeUnknown, errRetryWithKey,
	}
	reasons := []string{reasonOverlap, reasonClients, reasonPageSize}
	for _, failure := range failures {
		reasons = append(reasons, failure.Reason)
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}
