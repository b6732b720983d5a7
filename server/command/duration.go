package command

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// WithDays returns the option by which every flag that is a duration also
// understands days: 30d, 1d12h.
func WithDays() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
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
