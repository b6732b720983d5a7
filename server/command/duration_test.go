package command_test

import (
	"math"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"clientsd/server/command"
)

// parseFlag gives --ttl=text to a parser as the command line has it.
func parseFlag(t *testing.T, text string) (time.Duration, error) {
	t.Helper()
	var flags struct {
		TTL time.Duration `name:"ttl"`
	}
	parser, err := kong.New(&flags, command.WithDays())
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse([]string{"--ttl=" + text})
	return flags.TTL, err
}

func TestWithDays(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"30d":                       30 * day,
		"1d12h":                     36 * time.Hour,
		"1.5d":                      36 * time.Hour,
		"-1d12h":                    -36 * time.Hour,
		"+2d":                       2 * day,
		"0d":                        0,
		"0d5h":                      5 * time.Hour,
		"1d0s":                      day,
		"106751d":                   106751 * day,
		"720h":                      30 * day,
		"1h30m":                     90 * time.Minute,
		"-1s":                       -time.Second,
		"0":                         0,
		"250ms":                     250 * time.Millisecond,
		"106751d1":                  -1, // no unit
		"106752d":                   -1,
		"-106751d23h59m59s1000000h": -1,
		"d":                         -1,
		"30":                        -1,
		"30 d":                      -1,
		"1d-1h":                     -1,
		"0d-5h":                     -1,
		"1m1d":                      -1,
		"1h1d":                      -1,
		"1d1d":                      -1,
		"1w":                        -1,
		"NaNd":                      -1,
		"":                          -1,
		"day":                       -1,
	} {
		got, err := parseFlag(t, text)
		if want == -1 && (err == nil || err.Error() != `--ttl: "`+text+`" is no duration: write it like 90s, 12h, 1h30m or 30d`) {
			t.Errorf("%q: got %v, error %v", text, got, err)
		}
		if want != -1 && (err != nil || got != want) {
			t.Errorf("%q: got %v, error %v, want %v", text, got, err, want)
		}
	}
	if got, err := parseFlag(t, "106751d24h"); err == nil && got < math.MaxInt64/2 {
		t.Errorf("got %v, which has wrapped around", got)
	}
}
