package reqctx

import "context"

// OK is the Code of a call that went well.
const OK = "ok"

// Result is the outcome of a call, for metrics.
type Result struct {
	// Code is OK or the name of a Connect code, also for APIs with other codes.
	// Empty: the status of the answer decides.
	Code string
	// SecretReleased reports that the answer carries a secret.
	SecretReleased bool
}

// SetCode notes how the call ended. A call that failed released no secret. Only
// the goroutine that serves the call may use it, as all of this file.
func SetCode(ctx context.Context, code string) {
	result := &infoOf(ctx).result
	result.Code = code
	result.SecretReleased = result.SecretReleased && code == OK
}

// SetSecretReleased notes that the answer carries a secret.
func SetSecretReleased(ctx context.Context) { infoOf(ctx).result.SecretReleased = true }

// ResultOf returns what was noted, or the zero Result.
func ResultOf(ctx context.Context) Result { return infoOf(ctx).result }
