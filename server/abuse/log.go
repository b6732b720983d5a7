package abuse

import (
	"context"
	"time"
)

const (
	// window is the time over which equal denials are one line.
	window = time.Minute
	// maxKinds bounds the different denials that are counted in a window. The
	// rest is counted together.
	maxKinds = 1024
)

// A Denial is one denied call. Equal denials are folded. Fields that do not matter
// for that are empty.
type Denial struct {
	// Caller is issuer and subject or, without a good token, the address.
	Caller string
	// Client is the client that the call was about.
	Client string
	// Call names what was called.
	Call string
	// Reason says why, without any part of a token or a secret.
	Reason string
}

// others stands for the denials over the bound of kinds.
var others = Denial{Caller: "others", Reason: "various"}

// Log logs the first denial of a kind immediately, with these attributes of it, and
// counts the others of a window for one more line.
func (f *Failures) Log(ctx context.Context, d Denial, attributes ...any) {
	if f.isFirst(d) {
		f.log.WarnContext(ctx, "denied", append(d.attrs(), attributes...)...)
	}
}

// attrs returns the fields that are not empty.
func (d Denial) attrs() (attrs []any) {
	for _, attr := range [][2]string{{"caller", d.Caller}, {"client", d.Client}, {"call", d.Call}, {"reason", d.Reason}} {
		if attr[1] != "" {
			attrs = append(attrs, attr[0], attr[1])
		}
	}
	return attrs
}

// Run flushes every minute, and once more when ctx ends.
func (f *Failures) Run(ctx context.Context) {
	tick := time.NewTicker(window)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.Flush(ctx)
		case <-ctx.Done():
			f.Flush(context.WithoutCancel(ctx))
			return
		}
	}
}

// Flush ends a window and logs what was folded in it.
func (f *Failures) Flush(ctx context.Context) {
	f.mu.Lock()
	folded := f.folded
	f.folded = make(map[Denial]int)
	f.mu.Unlock()
	for d, more := range folded {
		if more > 0 {
			f.log.WarnContext(ctx, "denied more often", append(d.attrs(), "more", more)...)
		}
	}
}

func (f *Failures) isFirst(d Denial) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	more, known := f.folded[d]
	switch {
	case known:
		f.folded[d] = more + 1
		return false
	case len(f.folded) >= maxKinds:
		f.folded[others]++
		return false
	default:
		f.folded[d] = 0
		return true
	}
}
