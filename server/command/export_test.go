package command

import "clientsd/server"

// Trusted is what the flags of serve say about issuers.
func Trusted(c Serve) ([]server.TrustedIssuer, string, error) { return c.trusted() }
