package secret_test

import (
	"errors"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"clientsd/server/secret"
)

const (
	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// known is a secret. Its checksum and digest were computed with another program.
	known = "sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2LOcWk"
)

func TestGenerate_DocumentedForm(t *testing.T) {
	for _, prefix := range []string{secret.DefaultPrefix, "", "acme_", strings.Repeat("x", secret.MaxPrefixLength)} {
		form := regexp.MustCompile("^" + prefix + "[0-9A-Za-z]{49}$")
		for range 100 {
			generated := secret.Generate(prefix)
			if !form.MatchString(generated.Reveal()) || generated.IsZero() {
				t.Fatalf("prefix %q: %q is not of the form %v", prefix, generated.Reveal(), form)
			}
			parsed, err := secret.Parse(generated.Reveal())
			if err != nil || parsed.Reveal() != generated.Reveal() {
				t.Fatalf("Parse(%q): got %q, error %v", generated.Reveal(), parsed.Reveal(), err)
			}
		}
	}
}

// Each of the 256 bits must be random. Over 2,000 secrets the bounds are nine
// standard deviations away from the mean of a random bit.
func TestGenerate_256RandomBits(t *testing.T) {
	const secrets, bits = 2000, 256
	var set [bits]int
	seen := map[string]bool{}
	for range secrets {
		text := secret.Generate("").Reveal()
		seen[text] = true
		number := decode(t, text[:43])
		if number.BitLen() > bits {
			t.Fatalf("%q has %d bits", text, number.BitLen())
		}
		for i := range bits {
			set[i] += int(number.Bit(i))
		}
	}
	if len(seen) != secrets {
		t.Errorf("%d of %d secrets are different", len(seen), secrets)
	}
	for i, count := range set {
		if count < 4*secrets/10 || count > 6*secrets/10 {
			t.Errorf("bit %d is set in %d of %d secrets", i, count, secrets)
		}
	}
}

func decode(t *testing.T, text string) *big.Int {
	t.Helper()
	number := new(big.Int)
	for _, r := range text {
		digit := strings.IndexRune(alphabet, r)
		if digit < 0 {
			t.Fatalf("%q is no base62 digit", r)
		}
		number.Add(number.Mul(number, big.NewInt(62)), big.NewInt(int64(digit)))
	}
	return number
}

func TestParse_SecretOfAnotherProgram(t *testing.T) {
	if got, err := secret.Parse(known); err != nil || got.Reveal() != known {
		t.Errorf("got %q, error %v", got.Reveal(), err)
	}
}

// A CRC-32 detects every change within 32 neighbouring bits, so it detects each
// change of one character.
func TestParse_OneCharacterChanged(t *testing.T) {
	for i := range len(known) {
		for _, r := range alphabet + "_- é\x00" {
			changed := known[:i] + string(r) + known[i+1:]
			if changed == known {
				continue
			}
			if got, err := secret.Parse(changed); !errors.Is(err, secret.ErrMalformed) || !got.IsZero() {
				t.Errorf("character %d changed to %q: got %v, error %v", i, r, got, err)
			}
		}
		if _, err := secret.Parse(known[:i] + known[i+1:]); !errors.Is(err, secret.ErrMalformed) {
			t.Errorf("character %d left out: got error %v", i, err)
		}
		if _, err := secret.Parse(known[:i] + known[i:i+1] + known[i:]); !errors.Is(err, secret.ErrMalformed) {
			t.Errorf("character %d doubled: got error %v", i, err)
		}
	}
}

func TestParse_NoSecret(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                    "",
		"a password":                 "correct horse battery staple",
		"only the prefix":            "sk_live_",
		"a space before":             " " + known,
		"a space after":              known + " ",
		"a line break after":         known + "\n",
		"two secrets":                known + known,
		"48 characters":              secret.Generate("").Reveal()[1:],
		"a prefix of 33 characters":  strings.Repeat("x", 33) + strings.TrimPrefix(known, "sk_live_"),
		"capitals for small letters": strings.ToUpper(known),
		"letters that look the same": strings.ReplaceAll(known, "A", "А"),
		"zeros of the same length":   strings.Repeat("0", len(known)),
		"a megabyte":                 strings.Repeat(known, 20000),
		"bytes that are not UTF-8":   strings.Repeat("\xff", len(known)),
		"a prefix with a hyphen":     "sk-live-" + strings.TrimPrefix(known, "sk_live_"),
		"another prefix":             "sk_test_" + strings.TrimPrefix(known, "sk_live_"),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := secret.Parse(text)
			if !errors.Is(err, secret.ErrMalformed) || !got.IsZero() || err.Error() != "malformed secret" {
				t.Errorf("got %v, error %v", got, err)
			}
		})
	}
}

// withChecksum appends the CRC-32 of head in six base62 digits.
func withChecksum(head string) string {
	sum, digits := crc32.ChecksumIEEE([]byte(head)), ""
	for range 6 {
		digits = alphabet[sum%62:][:1] + digits
		sum /= 62
	}
	return head + digits
}

// The checksum alone does not make a text a secret.
func TestParse_RightChecksumOfAnotherForm(t *testing.T) {
	body := known[len("sk_live_") : len(known)-6]
	if withChecksum("sk_live_"+body) != known {
		t.Fatalf("the test computes another checksum: got %s", withChecksum("sk_live_"+body))
	}
	for name, head := range map[string]string{
		"a space in the prefix":      "sk live_" + body,
		"a prefix of 33 characters":  strings.Repeat("x", 33) + body,
		"an underscore in the body":  "sk_live_" + "_" + body[1:],
		"a hyphen at its end":        "sk_live_" + body[:42] + "-",
		"a body of 42 characters":    body[1:],
		"bytes that are not UTF-8":   "sk_live_" + "\xff" + body[1:],
		"a line break in the prefix": "sk\n" + body,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := secret.Parse(withChecksum(head)); !errors.Is(err, secret.ErrMalformed) || !got.IsZero() {
				t.Errorf("got %v, error %v", got, err)
			}
		})
	}
}

func TestValidatePrefix(t *testing.T) {
	const only = ", only letters, digits and underscores are allowed"
	for prefix, want := range map[string]string{
		"":                      "",
		"sk_live_":              "",
		"Az09_":                 "",
		strings.Repeat("a", 32): "",
		strings.Repeat("a", 33): "the prefix of secrets has 33 characters, at most 32 are allowed",
		"sk-live-":              "the prefix of secrets has the character '-'" + only,
		"sk live":               "the prefix of secrets has the character ' '" + only,
		"sk_é":                  "the prefix of secrets has the character 'é'" + only,
		"sk:":                   "the prefix of secrets has the character ':'" + only,
	} {
		err := secret.ValidatePrefix(prefix)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("prefix %q: got error %v, want %s", prefix, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{known, secret.Generate("").Reveal(), "sk_live_", "", "\xff", strings.Repeat("0", 49), known + "\x00"} {
		f.Add(text)
	}
	form := regexp.MustCompile(`^[0-9A-Za-z_]{0,32}[0-9A-Za-z]{49}$`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := secret.Parse(text)
		switch {
		case err == nil && (got.Reveal() != text || !form.MatchString(text)):
			t.Errorf("%q was taken for the secret %q", text, got.Reveal())
		case err != nil && (!errors.Is(err, secret.ErrMalformed) || !got.IsZero()):
			t.Errorf("got %v, error %v", got, err)
		}
	})
}
