package reqctx

import "context"

// A Result is what has come of a call, for who measures it.
type Result struct {
	// Code is "ok" or the name of the Connect code that the caller is told, on
	// the APIs that have other words too. Empty: nobody has said.
	Code string
	// SecretReleased says that the answer carries a secret.
	SecretReleased bool
}

// SetResult says what has come of the call. Outside of a call it does nothing.
// Only the goroutine that serves the call may say so, and ask.
func SetResult(ctx context.Context, result Result) { infoOf(ctx).result = result }

// ResultOf is what SetResult was last told, or the zero Result.
func ResultOf(ctx context.Context) Result { return infoOf(ctx).result }
