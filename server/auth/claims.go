package auth

import (
	"time"

	// go-jose's own decoder, unlike the standard library's, refuses an object
	// that names a member twice and does not match names regardless of case.
	"github.com/go-jose/go-jose/v4/json"
)

const (
	leeway          = 30 * time.Second
	lastNumericDate = 253402300799 // 9999-12-31T23:59:59Z, the last date RFC 3339 can write
)

// claims is the payload of an access token, by the names of its claims. A claim
// that is null counts as absent. Every error of its methods is a [TokenError]
// that names the claim.
type claims map[string]json.RawMessage

func parseClaims(payload []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil || c == nil {
		return nil, refuse(claimsMalformed)
	}
	return c, nil
}

// get returns a claim as it is written; false if it is absent.
func (c claims) get(name string) (json.RawMessage, bool) {
	raw, ok := c[name]
	return raw, ok && string(raw) != "null"
}

// text returns a claim that is one text; false if it is absent.
func (c claims) text(name string) (string, bool, error) {
	raw, ok := c.get(name)
	if !ok {
		return "", false, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", false, refuse(claimIs(name, "not a string"))
	}
	return text, true, nil
}

// texts returns a claim that is one text or a list of them; false if it is absent.
func (c claims) texts(name string) ([]string, bool, error) {
	raw, ok := c.get(name)
	if !ok {
		return nil, false, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []string{text}, true, nil
	}
	var texts []*string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, false, refuse(claimIs(name, "neither a string nor a list of strings"))
	}
	values := make([]string, len(texts))
	for i, text := range texts {
		if text == nil {
			return nil, false, refuse(claimIs(name, "neither a string nor a list of strings"))
		}
		values[i] = *text
	}
	return values, true, nil
}

// members returns the names of the members of a claim that is an object; false if
// it is none. A member that is null or false does not count.
func (c claims) members(name string) ([]string, bool) {
	var object map[string]json.RawMessage
	if raw, ok := c.get(name); !ok || json.Unmarshal(raw, &object) != nil {
		return nil, false
	}
	names := make([]string, 0, len(object))
	for member, value := range object {
		if text := string(value); text != "null" && text != "false" {
			names = append(names, member)
		}
	}
	return names, true
}

// date returns a NumericDate of RFC 7519 without any fraction of a second; false
// if it is absent. Dates are read as plain numbers: jwt.NumericDate lets a date
// beyond the range of int64 wrap around.
func (c claims) date(name string) (time.Time, bool, error) {
	raw, ok := c.get(name)
	if !ok {
		return time.Time{}, false, nil
	}
	var seconds float64
	if err := json.Unmarshal(raw, &seconds); err != nil {
		return time.Time{}, false, refuse(claimIs(name, "not a usable number"))
	}
	if seconds < 0 || seconds > lastNumericDate {
		return time.Time{}, false, refuse(claimDate + in(name))
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// lifetime is when a token may be used. An absent `nbf` or `iat` is the zero
// time, which has always passed.
type lifetime struct {
	notBefore, issuedAt, expires time.Time
}

// lifetime returns the dates of the token, unchecked but for their range.
func (c claims) lifetime() (l lifetime, err error) {
	var hasExpiry bool
	if l.expires, hasExpiry, err = c.date("exp"); err != nil {
		return lifetime{}, err
	}
	if !hasExpiry {
		return lifetime{}, refuse(claimNoExpiry + in("exp"))
	}
	if l.notBefore, _, err = c.date("nbf"); err != nil {
		return lifetime{}, err
	}
	if l.issuedAt, _, err = c.date("iat"); err != nil {
		return lifetime{}, err
	}
	return l, nil
}

// check says whether a token may be used now, give or take the leeway.
func (l lifetime) check(now time.Time) error {
	switch {
	case !now.Before(l.expires.Add(leeway)):
		return refuseNow(tokenExpired)
	case now.Add(leeway).Before(l.notBefore):
		return refuseNow(tokenNotYetValid)
	case now.Add(leeway).Before(l.issuedAt):
		return refuseNow(tokenFromFuture)
	default:
		return nil
	}
}
