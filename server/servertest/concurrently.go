package servertest

import (
	"sync"
)

// Concurrently runs body so many times at once, and waits for all of them.
func Concurrently(n int, body func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { body(i) })
	}
	group.Wait()
}
