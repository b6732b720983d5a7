package command

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// negative matches a number, which no flag is called.
var negative = regexp.MustCompile(`^-[\d.]`)

// WithDays returns the option by which every flag that is a duration also
// understands days, 30d or 1d12h, and a negative one behind a space, which would
// otherwise be taken for another flag.
func WithDays() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		text, _ := ctx.Scan.Peek().Value.(string) // empty at the end of the line
		if negative.MatchString(text) {
			ctx.Scan.Pop()
		} else if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
			return err
		}
		d, err := parseDuration(text)
		if err != nil {
			return err
		}
		target.SetInt(int64(d))
		return nil
	}))
}

// parseDuration parses what [time.ParseDuration] does, and days (unit d), which come first.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, rest, ok := strings.Cut(text, "d"); ok {
		d, err = addDays(days, rest)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: write it like 90s, 12h, 1h30m or 30d", text)
	}
	return d, nil
}

// addDays adds the rest of a duration to a number of days. The sign of the days
// is that of the whole.
func addDays(days, rest string) (time.Duration, error) {
	hours, err := time.ParseDuration(days + "h")
	if err != nil {
		return 0, err
	}
	if hours.Abs() > math.MaxInt64/24 || strings.ContainsAny(days, "hmsnuµμ") || strings.ContainsAny(rest, "+-") {
		return 0, errors.New("too many days, or another unit before them, or a sign in the middle")
	}
	whole := 24 * hours
	if rest == "" {
		return whole, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil {
		return 0, err
	}
	if strings.HasPrefix(days, "-") {
		more = -more
	}
	if sum := whole + more; more == 0 || (sum > whole) == (more > 0) {
		return sum, nil
	}
	return 0, errors.New("too long")
}

// positive refuses a flag that must be more than zero.
func positive[T int | time.Duration](flag string, value T) error {
	if value <= 0 {
		return fmt.Errorf("%s %v: must be more than zero", flag, value)
	}
	return nil
}
