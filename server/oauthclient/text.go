package oauthclient

import (
	"strings"
	"unicode"
)

// text refuses what people cannot read: a text that hides or reorders what is
// shown, and one that shows nothing. Joiners that scripts and emoji need pass.
// Empty is for the rules of the message to judge.
func (v *violations) text(field, text string) {
	switch {
	case strings.ContainsFunc(text, isDeceptive):
		v.add(field, "visible", "must not contain characters that change the direction of text or have no width (U+202E, U+200B and their like): remove them")
	case text != "" && !strings.ContainsFunc(text, isVisible):
		v.add(field, "not_blank", "must contain a character that can be seen")
	}
}

// isDeceptive reports the characters that control the direction of text
// (Unicode: Bidi_Control), spaces without width and the byte order mark.
func isDeceptive(r rune) bool {
	return unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || r == '\u2060' || r == '\ufeff'
}

// isVisible reports characters that leave ink when they stand alone.
func isVisible(r rune) bool {
	switch r {
	case '\u2800', '\u3164', '\uffa0', '\u115f', '\u1160', '\u00ad': // blank Braille, fillers of Hangul, the soft hyphen
		return false
	default:
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.Mn, r)
	}
}
