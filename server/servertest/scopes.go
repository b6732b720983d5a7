package servertest

// The scopes, spelt out: this file restates the contract and must not follow
// the code.
const (
	ScopeManage = "oauth:clients:manage"
	ScopeRead   = "oauth:clients:read"
	ScopeVerify = "oauth:clients:verify"
	ScopeRotate = "oauth:clients:rotate"
	ScopeAdmin  = "admin"
)

// The scopes that the other faces have of their own, and all that any needs.
const (
	ScopeAppWrite     = "project.app.write"
	ScopeClientManage = "client:manage"
)

var AllAPIs = append([]string{ScopeAppWrite, ScopeClientManage}, All...)
