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

// OnAnswer calls f once the answer is put together, before the server waits for its
// reader, or when there is none. Outside a request it calls f immediately.
func OnAnswer(ctx context.Context, f func()) {
	i, ok := ctx.Value(contextKey{}).(*info)
	if !ok {
		f()
		return
	}
	i.onAnswer = append(i.onAnswer, f)
}

// Answered calls what [OnAnswer] was given.
func Answered(ctx context.Context) {
	i := infoOf(ctx)
	for _, f := range i.onAnswer {
		f()
	}
	i.onAnswer = nil
}

// ResultOf returns what was noted, or the zero Result.
func ResultOf(ctx context.Context) Result { return infoOf(ctx).result }
