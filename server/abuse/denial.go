// Package abuse puts denied attempts into the log, folded: an attacker must
// neither go unseen nor fill the disk.
package abuse

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// window is the time over which denials of one kind are one line.
	window = time.Minute
	// kinds bounds the different denials that are counted in a window. What goes
	// beyond it is counted together.
	kinds = 1024
)

// A Denial is what is folded: equal ones are counted.
type Denial struct {
	// Caller is who was denied: issuer and subject or, without a good token, the
	// address.
	Caller string
	// Call is the procedure or the API.
	Call string
	// Reason says why, in words that hold nothing of a token or a secret.
	Reason string
}

// others stands for the denials beyond the bound of kinds.
var others = Denial{Caller: "others", Reason: "various"}

// A DenialLog logs the first denial of a kind at once and the rest of a minute's in
// one line. It is safe for concurrent use.
type DenialLog struct {
	log    *slog.Logger
	mu     sync.Mutex
	folded map[Denial]int
}

// NewDenialLog makes a DenialLog. It folds until Run ends a window.
func NewDenialLog(log *slog.Logger) *DenialLog {
	return &DenialLog{log: log, folded: make(map[Denial]int)}
}

// Note logs a denial, or counts it if its kind was logged in this window.
func (l *DenialLog) Note(ctx context.Context, d Denial) {
	if l.isFirst(d) {
		l.log.WarnContext(ctx, "denied", "caller", d.Caller, "call", d.Call, "reason", d.Reason)
	}
}

// Run ends a window every minute, and the last one when ctx ends.
func (l *DenialLog) Run(ctx context.Context) {
	tick := time.NewTicker(window)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.Flush(ctx)
		case <-ctx.Done():
			l.Flush(context.WithoutCancel(ctx))
			return
		}
	}
}

// Flush ends a window: it logs what was folded.
func (l *DenialLog) Flush(ctx context.Context) {
	l.mu.Lock()
	folded := l.folded
	l.folded = make(map[Denial]int)
	l.mu.Unlock()
	for d, more := range folded {
		if more > 0 {
			l.log.WarnContext(ctx, "denied more often", "caller", d.Caller, "call", d.Call, "reason", d.Reason, "more", more)
		}
	}
}

func (l *DenialLog) isFirst(d Denial) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	more, known := l.folded[d]
	switch {
	case known:
		l.folded[d] = more + 1
		return false
	case len(l.folded) >= kinds:
		l.folded[others]++
		return false
	default:
		l.folded[d] = 0
		return true
	}
}
