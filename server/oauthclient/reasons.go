package oauthclient

import "slices"

// Reasons returns the reason of every failure of this package that a caller can
// see, in alphabetical order.
func Reasons() []string {
	failures := []*Error{
		ErrNotFound, ErrSecretNotFound, ErrExists, ErrPublicClient, ErrVersion, ErrKeyInUse, ErrKeyMismatch, ErrSuperseded, ErrConflict, ErrDamagedSecret, ErrKeyNotLoaded,
		errOutcomeUnknown, errRetryWithKey,
	}
	reasons := make([]string, 0, len(failures)+3)
	for _, failure := range failures {
		reasons = append(reasons, failure.Reason)
	}
	reasons = append(reasons, reasonOverlap, reasonClients, reasonPageSize)
	slices.Sort(reasons)
	return slices.Compact(reasons)
}
