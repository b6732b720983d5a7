package binary_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"clientsd/server/command"
)

// durationFlag matches a flag in a help text whose default is a duration.
var durationFlag = regexp.MustCompile(`(?m)^ +(--[a-z-]+)=(\d+(?:ms|[smhd]))(?: |$)`)

// Each flag that is a duration understands the same, however it is given: days, a
// number behind a space also if it is negative, and no zero that would be something
// else.
func TestDurations_EveryFlag(t *testing.T) {
	const passed, understood = "passed", "understood"
	mayBeZero, mayBeNegative := []string{"--event-retention", "--max-secret-overlap", "--shutdown-delay"}, []string{"--max-secret-overlap"}
	found := 0
	for _, base := range [][]string{
		{"serve", "--addr", "nowhere"},
		{"token", "--data-dir", t.TempDir(), "--scope", "oauth:clients:read"},
		{"healthcheck", "--url", "http://127.0.0.1:1"},
	} {
		for _, match := range durationFlag.FindAllStringSubmatch(help(t, base[0]), -1) {
			flag := match[1]
			found++
			refusedUnless := func(allowed []string) string {
				if slices.Contains(allowed, flag) {
					return passed
				}
				return flag
			}
			for value, want := range map[string]string{
				match[2]: passed,
				"20h":    understood,
				"1h30m":  understood,
				"0d12h":  understood,
				"1d":     understood,
				"0":      refusedUnless(mayBeZero),
				"0s":     refusedUnless(mayBeZero),
				"-1s":    refusedUnless(mayBeNegative),
				"-1d12h": refusedUnless(mayBeNegative),
				"5":      flag + `: "5" is no duration: write it like 90s, 12h, 1h30m or 30d`,
				"-1":     flag + `: "-1" is no duration: write it like 90s, 12h, 1h30m or 30d`,
				"1w":     flag + `: "1w" is no duration: write it like 90s, 12h, 1h30m or 30d`,
			} {
				for _, given := range [][]string{{flag + "=" + value}, {flag, value}} {
					got := runFailing(t, append(slices.Clone(base), given...))
					switch want {
					case passed:
						if !strings.Contains(got, flag) {
							continue
						}
					case understood: // but perhaps out of range
						if !strings.Contains(got, flag+":") {
							continue
						}
					default:
						if strings.Contains(got, want) {
							continue
						}
					}
					t.Errorf("%s %q: want %s, got %s", base[0], given, want, got)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d flags", found)
	}
}

// numberFlag matches a flag in a help text whose default is a number.
var numberFlag = regexp.MustCompile(`(?m)^ +(--[a-z-]+)=[1-9]\d*(?: |$)`)

// A bound of zero must not be the default in disguise.
func TestNumbers_ZeroIsRefused(t *testing.T) {
	found := numberFlag.FindAllStringSubmatch(help(t, "serve"), -1)
	if len(found) < 4 {
		t.Errorf("found %d flags", len(found))
	}
	for _, match := range found {
		for _, value := range []string{"0", "-1"} {
			got := runFailing(t, []string{"serve", "--addr", "nowhere", match[1] + "=" + value})
			if want := match[1] + " " + value + ": must be more than zero"; !strings.Contains(got, want) {
				t.Errorf("%s=%s: got %s", match[1], value, got)
			}
		}
	}
}

// runFailing runs a command that must fail, and returns what it says.
func runFailing(t *testing.T, args []string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := command.Run(t.Context(), version, args, &out, &errs); code == 0 {
		t.Errorf("%v: got exit code 0", args)
	}
	return errs.String()
}

// help returns the help text of a command.
func help(t *testing.T, name string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := command.Run(t.Context(), version, append(strings.Fields(name), "--help"), &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("%s --help: exit code %d: %s", name, code, &errs)
	}
	return out.String()
}

// The help says so; of the server itself, zero is the default.
func TestMaxSecretOverlap_ZeroOrLessIsNever(t *testing.T) {
	for _, flags := range [][]string{{"--max-secret-overlap", "0"}, {"--max-secret-overlap", "-1s"}} {
		p := startProcess(t, t.TempDir(), flags...)
		h := p.register(t)
		if answer, err := h.rotate(t, p, "with an overlap", time.Minute); err == nil {
			t.Errorf("%v: got version %d and an overlap until %v", flags, answer.GetSecretVersion(), answer.GetPreviousSecretExpiresAt())
		}
	}
}
