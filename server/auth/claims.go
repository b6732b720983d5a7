package auth

import (
	"strings"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	leeway               = 30 * time.Second
	maxSubjectBytes      = 256
	maxIdentifierBytes   = 256
	maxOrganisationBytes = 128
	lastNumericDate      = 253402300799 // 9999-12-31T23:59:59Z, the last date RFC 3339 can write
)

// claims is the payload of an access token. Dates are read as plain numbers:
// jwt.NumericDate lets a date beyond the range of int64 wrap around.
type claims struct {
	Issuer          string       `json:"iss"`
	Subject         string       `json:"sub"`
	Audience        jwt.Audience `json:"aud"`
	Expiry          *float64     `json:"exp"`
	NotBefore       *float64     `json:"nbf"`
	IssuedAt        *float64     `json:"iat"`
	Scope           string       `json:"scope"`
	ClientID        string       `json:"client_id"`
	AuthorizedParty string       `json:"azp"`
	Organisation    *string      `json:"urn:xeonr:auth:organisation_id"`
	ApplicationID   string       `json:"urn:xeonr:auth:application_id"`
}

// principal returns the caller that the claims name, checked.
func (c *claims) principal(requireOrganisation bool) (Principal, error) {
	p := Principal{
		Issuer:        c.Issuer,
		Subject:       c.Subject,
		ClientID:      c.ClientID,
		Organisation:  DefaultOrganisation,
		ApplicationID: c.ApplicationID,
		scopes:        strings.FieldsFunc(c.Scope, func(r rune) bool { return r == ' ' }),
	}
	if p.ClientID == "" {
		p.ClientID = c.AuthorizedParty
	}
	if c.Organisation != nil {
		p.Organisation = *c.Organisation
	}
	if c.Organisation == nil && requireOrganisation {
		return Principal{}, refuse(claimOrganisation)
	}
	return p, p.checkNames()
}

// checkNames refuses names that are too long, not printable or, where one is
// needed, empty.
func (p *Principal) checkNames() error {
	switch {
	case p.Subject == "" || !isName(p.Subject, maxSubjectBytes):
		return refuse(claimSubject)
	case !isName(p.ClientID, maxIdentifierBytes):
		return refuse(claimClient)
	case !isName(p.ApplicationID, maxIdentifierBytes):
		return refuse(claimApplication)
	case p.Organisation == "" || !isName(p.Organisation, maxOrganisationBytes):
		return refuse(claimOrganisation)
	default:
		return nil
	}
}

// isName says whether s is short enough and printable throughout, so that it
// can be stored and logged as it is. U+FFFD stands for bytes that were no
// UTF-8, which would make two names one.
func isName(s string, maxBytes int) bool {
	return len(s) <= maxBytes && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar
	})
}

// lifetime is when a token may be used. An absent `nbf` or `iat` is the zero
// time, which has always passed.
type lifetime struct {
	notBefore, issuedAt, expires time.Time
}

// lifetime returns the dates of the token, unchecked but for their range.
func (c *claims) lifetime() (l lifetime, err error) {
	if c.Expiry == nil {
		return lifetime{}, refuse(claimNoExpiry)
	}
	if l.expires, err = numericDate(c.Expiry); err != nil {
		return lifetime{}, err
	}
	if l.notBefore, err = numericDate(c.NotBefore); err != nil {
		return lifetime{}, err
	}
	if l.issuedAt, err = numericDate(c.IssuedAt); err != nil {
		return lifetime{}, err
	}
	return l, nil
}

// numericDate converts a NumericDate of RFC 7519, dropping any fraction of a
// second. An absent one is the zero time.
func numericDate(seconds *float64) (time.Time, error) {
	if seconds == nil {
		return time.Time{}, nil
	}
	if *seconds < 0 || *seconds > lastNumericDate {
		return time.Time{}, refuse(claimDate)
	}
	return time.Unix(int64(*seconds), 0), nil
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
