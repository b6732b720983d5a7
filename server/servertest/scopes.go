package servertest

// The scopes. This file spells them out: it restates the contract and must not
// follow the code.
const (
	ScopeManage = "oauth:clients:manage"
	ScopeRead   = "oauth:clients:read"
	ScopeVerify = "oauth:clients:verify"
	ScopeRotate = "oauth:clients:rotate"
	ScopeAdmin  = "admin"
)

// The scopes that ZITADEL and Vigilo have of their own.
const (
	ScopeAppWrite     = "project.app.write"
	ScopeClientManage = "client:manage"
)

// AllAPIs is All and the scopes of the other APIs.
var AllAPIs = append([]string{ScopeAppWrite, ScopeClientManage}, All...)
