package oauthclient_test

import (
	"testing"

	"clientsd/server/oauthclient"
)

func TestText(t *testing.T) {
	for name, tt := range map[string]struct{ text, rule string }{
		"a name":                          {"My OAuth App", ""},
		"nothing":                         {"", ""}, // the rules of the message decide
		"line breaks":                     {"one\ntwo\tthree", ""},
		"Arabic":                          {"تطبيق", ""},
		"Persian with a joiner":           {"می\u200cخواهم", ""},
		"Hindi with marks":                {"क्षत्रिय", ""},
		"a family, joined":                {"👩\u200d👩\u200d👧", ""},
		"a flag of tags":                  {"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", ""},
		"a heart with a variation":        {"❤\ufe0f", ""},
		"a soft hyphen inside":            {"long\u00adname", ""},
		"an override":                     {"evil\u202egpj.exe", "visible"},
		"an embedding":                    {"\u202ax\u202c", "visible"},
		"an isolate":                      {"\u2067x\u2069", "visible"},
		"a mark of direction":             {"a\u200eb", "visible"},
		"the Arabic letter mark":          {"a\u061cb", "visible"},
		"a space without width":           {"pay\u200bpal", "visible"},
		"a word joiner":                   {"pay\u2060pal", "visible"},
		"a byte order mark":               {"\ufeffapp", "visible"},
		"a space":                         {" ", "not_blank"},
		"spaces of other scripts":         {"\u00a0\u2003\u3000", "not_blank"},
		"line breaks alone":               {"\n\t\r\n", "not_blank"},
		"a filler of Hangul":              {"\u3164", "not_blank"},
		"blank Braille":                   {"\u2800\u2800", "not_blank"},
		"joiners alone":                   {"\u200d\u200c", "not_blank"},
		"a mark without a letter":         {"\u0301", "not_blank"},
		"a variation selector by itself":  {"\ufe0f", "not_blank"},
		"a soft hyphen and nothing else":  {"\u00ad", "not_blank"},
		"a line separator and not a word": {"\u2028", "not_blank"},
	} {
		t.Run(name, func(t *testing.T) {
			var rule string
			for _, violation := range oauthclient.Text(tt.text) {
				rule = violation.Rule
			}
			if rule != tt.rule {
				t.Errorf("%+q breaks rule %q, want %q", tt.text, rule, tt.rule)
			}
		})
	}
}
