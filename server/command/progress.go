package command

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/time/rate"

	"clientsd/server/backup"
)

// lineInterval is how often progress is printed without a terminal.
const lineInterval = 10 * time.Second

// newProgress prints the progress of a copy: as a bar on a terminal, as a line every
// ten seconds otherwise. Before and after the copy, all of it is read.
func newProgress(env *Environment) backup.Progress {
	_, _ = fmt.Fprintln(env.Stderr, "checking the database") // a hint
	draw := progressLines(env.Stderr)
	if isTerminal(env.Stderr) {
		draw = progressBar(env.Stderr)
	}
	return func(done, total int64) {
		draw(done, total)
		if done == total {
			_, _ = fmt.Fprintln(env.Stderr, "reading the copy back") // a hint
		}
	}
}

func progressLines(w io.Writer) backup.Progress {
	sometimes := rate.Sometimes{First: 1, Interval: lineInterval}
	return func(done, total int64) {
		sometimes.Do(func() {
			_, _ = fmt.Fprintf(w, "copied %s of %s\n", megabytes(done), megabytes(total)) // a hint
		})
	}
}

func progressBar(w io.Writer) backup.Progress {
	var bar *progressbar.ProgressBar
	return func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total,
				progressbar.OptionSetWriter(w),
				progressbar.OptionSetDescription("copying"),
				progressbar.OptionShowBytes(true),
				progressbar.OptionSetPredictTime(true),
				progressbar.OptionOnCompletion(func() { _, _ = fmt.Fprintln(w) })) // ends its line
		}
		_ = bar.Set64(done) // a failing bar does no harm
	}
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
