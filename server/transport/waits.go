package transport

import "sync"

// waits bounds the bytes that are held for requests which wait: for their callers,
// or for a place. When there are too many, it ends the waiting of the one that began
// to wait first. Callers who are as quick as their network allows never wait so long.
type waits struct {
	limit int // in bytes

	mu    sync.Mutex
	bytes int
	ends  wait // of the list: its newer is the oldest of all, and its older the newest
}

// A wait is one request that waits.
type wait struct {
	older, newer *wait
	bytes        int
	cut          func() // ends the waiting
	isCut        bool
}

func newWaits(limit int) *waits {
	w := &waits{limit: limit}
	w.ends.older, w.ends.newer = &w.ends, &w.ends
	return w
}

// begin notes that a request waits while so many bytes are held for it.
func (w *waits) begin(bytes int, cut func()) *wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := &wait{older: w.ends.older, newer: &w.ends, bytes: bytes, cut: cut}
	last.older.newer, w.ends.older = last, last
	w.bytes += bytes
	for w.bytes > w.limit && w.ends.newer != last {
		first := w.ends.newer
		w.remove(first)
		first.isCut = true
		first.cut()
	}
	return last
}

// end notes that a request no longer waits, and reports whether it was cut off.
func (w *waits) end(ended *wait) (isCut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !ended.isCut {
		w.remove(ended)
	}
	return ended.isCut
}

func (w *waits) remove(ended *wait) {
	ended.older.newer, ended.newer.older = ended.newer, ended.older
	w.bytes -= ended.bytes
}
