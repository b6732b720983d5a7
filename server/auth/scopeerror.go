package auth

import (
	"fmt"
	"slices"
	"strings"
)

// ScopeError means that the access token is good but lacks a scope.
type ScopeError struct {
	// Sets are the sets of scopes that allow the call, the smallest first. One is
	// enough. It has only those sets of which the token lacks least.
	Sets [][]string

	missing [][]string // what the token lacks of each set
}

// NewScopeError returns the error of a caller who has none of these sets of scopes.
func NewScopeError(principal *Principal, sets ...[]string) *ScopeError {
	e := &ScopeError{}
	for _, set := range sets {
		missing := slices.DeleteFunc(slices.Clone(set), principal.HasScope)
		if len(e.missing) > 0 && len(missing) < len(e.missing[0]) {
			e.Sets, e.missing = nil, nil
		}
		repeats := slices.ContainsFunc(e.missing, func(known []string) bool { return slices.Equal(known, missing) })
		if repeats || len(e.missing) > 0 && len(missing) > len(e.missing[0]) {
			continue
		}
		e.Sets, e.missing = append(e.Sets, set), append(e.missing, missing)
	}
	return e
}

// Error names the scopes that the token lacks. It has every choice.
func (e *ScopeError) Error() string {
	noun, choices := "scope", make([]string, len(e.missing))
	for i, scopes := range e.missing {
		quoted := make([]string, len(scopes))
		for j, scope := range scopes {
			quoted[j] = fmt.Sprintf("%q", scope)
		}
		if len(scopes) > 1 {
			noun = "scopes"
		}
		choices[i] = strings.Join(quoted, " and ")
	}
	last := len(choices) - 1
	if last == 0 {
		return "the access token lacks the " + noun + " " + choices[0]
	}
	return "the access token lacks the " + noun + " " + strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// challenge returns the parameters that go with the error. The scope of RFC 6750 is
// what a token needs, all of it: so it has the smallest set, which a client can ask
// its issuer for. The description has the others.
func (e *ScopeError) challenge() string {
	parameters := fmt.Sprintf(`error="insufficient_scope", scope=%q`, strings.Join(e.Sets[0], " "))
	if len(e.Sets) > 1 {
		parameters += fmt.Sprintf(`, error_description="%s"`, strings.ReplaceAll(e.Error(), `"`, "'"))
	}
	return parameters
}

// metadata returns every choice for programs. Commas separate the sets, spaces the
// scopes of a set. It is one entry: the order of several would differ between equal
// answers.
func (e *ScopeError) metadata() map[string]string {
	sets := make([]string, len(e.Sets))
	for i, set := range e.Sets {
		sets[i] = strings.Join(set, " ")
	}
	return map[string]string{"scope": strings.Join(sets, ",")}
}
