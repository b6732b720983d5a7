package auth

import "net/http"

// A Gate is where every request of every API is authenticated.
type Gate struct {
	// Verifier decides.
	Verifier *Verifier
	// Rejected hears of every request that is not let through, and may answer
	// it with another error, such as a [ThrottledError]. Nil: nobody hears.
	Rejected func(r *http.Request, err error) error
}

// Authenticate returns the caller of a request. Beside the errors of
// [Verifier.Authenticate] it returns those of Rejected.
func (g Gate) Authenticate(r *http.Request) (*Principal, error) {
	principal, err := g.Verifier.Authenticate(r.Context(), r.Header)
	if err != nil && g.Rejected != nil {
		err = g.Rejected(r, err)
	}
	return principal, err
}
