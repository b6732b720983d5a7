package oauthclient

// RedirectURI is what is wrong with a redirect URI, or nothing.
func RedirectURI(text string) []Violation {
	var v violations
	v.redirectURI("uri", text)
	return v
}

// LogoutURI is what is wrong with a logout URI, or nothing.
func LogoutURI(text string) []Violation {
	var v violations
	v.logoutURI("uri", text)
	return v
}

// WebsiteURL is what is wrong with a website, or nothing.
func WebsiteURL(text string) []Violation {
	var v violations
	v.websiteURL("uri", text)
	return v
}

// Text returns what is wrong with a text that people read, or nothing.
func Text(text string) []Violation {
	var v violations
	v.text("text", text)
	return v
}

// Fingerprint is that of a call's method and input.
func Fingerprint(method string, input any) ([]byte, error) {
	return idempotentCall{method: method, input: input}.fingerprint()
}

// KeyFingerprint is that of a caller's key.
func KeyFingerprint(caller Caller, key IdempotencyKey) []byte { return caller.fingerprint(key) }

// InsertEvent is the beginning of the statement that records an event.
const InsertEvent = insertEvent

// InsertKey is the beginning of the statement that remembers an idempotency key.
const InsertKey = insertKey
