// Package nearest finds the known name that a misspelt one most likely means,
// for the sentence "did you mean".
//
// It must not know what the names stand for.
package nearest

import (
	"strings"

	"github.com/agext/levenshtein"
)

// shareWrong bounds the difference to a known name: one character in three may
// be wrong, but at least two may be.
const shareWrong = 3

// Name returns the known name that is nearest to name, or the empty string if
// none is near. A known name that ends with a colon and name is nearest of all:
// somebody has left out its beginning.
func Name(name string, known []string) string {
	if name == "" {
		return ""
	}
	best, least := "", max(2, len(name)/shareWrong)+1
	for _, candidate := range known {
		if strings.HasSuffix(candidate, ":"+name) {
			return candidate
		}
		if distance := levenshtein.Distance(strings.ToLower(name), strings.ToLower(candidate), nil); distance < least {
			best, least = candidate, distance
		}
	}
	return best
}

// DidYouMean returns a clause to put behind a sentence about an unknown name,
// such as ", did you mean --scope?", or the empty string if no known name is
// near.
func DidYouMean(name string, known []string) string {
	if found := Name(name, known); found != "" {
		return ", did you mean " + found + "?"
	}
	return ""
}
