package backup

import (
	"os"
	"time"
)

// progressInterval is how often a Progress is called.
const progressInterval = 100 * time.Millisecond

// Progress is called while a copy is written, with the bytes of about how many
// that it holds. The last call, with done equal to total, is for a complete copy.
type Progress func(done, total int64)

// watch calls p with the size of the growing file copied, until the caller calls
// finish with the outcome.
func (p Progress) watch(source, copied string) (finish func(error)) {
	total := sizeOf(source)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for ticks := time.Tick(progressInterval); ; {
			select {
			case <-ticks:
				if done := sizeOf(copied); done < total {
					p(done, total)
				}
			case <-stop:
				return
			}
		}
	}()
	return func(err error) {
		close(stop)
		<-stopped
		if err == nil {
			p(total, total)
		}
	}
}

// sizeOf returns 0 for a file that does not exist.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
