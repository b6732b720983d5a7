package command

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"clientsd/server/nearest"
)

const (
	variablePrefix = "CLIENTSD_"
	// keysetVariable holds the keyset itself. It has no flag, which would show in the
	// process list.
	keysetVariable = variablePrefix + "KEYSET"
	// databaseVariable holds the URL of the database.
	databaseVariable = variablePrefix + "DATABASE_URL"
)

// otherVariables matches what others set: the tests, clients of the service, and
// Kubernetes, for each service whose name begins with clientsd.
var otherVariables = regexp.MustCompile(`^CLIENTSD_(TEST_|(TOKEN|SERVER|PROFILE)=|PORT|SERVICE_|\w+_SERVICE_(HOST|PORT)|\w+_PORT(_\d+_|=tcp:|=udp:))`)

// unsetEmptyVariables makes an empty variable the same as none. Compose files and
// templates set empty ones for what is not configured.
func unsetEmptyVariables() error {
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); value == "" && strings.HasPrefix(name, variablePrefix) {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// unreadVariables returns a sentence for each variable that is set as if it were
// ours, but that no command reads.
func unreadVariables(app *kong.Application) (sentences []string) {
	known := knownVariables(app)
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		suffix, ours := strings.CutPrefix(strings.ToUpper(name), variablePrefix)
		if ours && !slices.Contains(known, name) && !otherVariables.MatchString(entry) {
			sentences = append(sentences, "nothing reads the variable "+name+didYouMean(suffix, known))
		}
	}
	slices.Sort(sentences)
	return sentences
}

// unreadURL returns a sentence if a command uses a file, and the variable is set by
// which other programs find PostgreSQL.
func unreadURL(flags []*kong.Flag) []string {
	usesFile := func(flag *kong.Flag) bool { return flag.Name == "database-url" && flag.Target.IsZero() }
	if os.Getenv("DATABASE_URL") == "" || !slices.ContainsFunc(flags, usesFile) {
		return nil
	}
	return []string{"nothing reads the variable DATABASE_URL: to use PostgreSQL, set " + databaseVariable}
}

// didYouMean compares without the prefix, which would make every name look near.
func didYouMean(suffix string, known []string) string {
	suffixes := make([]string, len(known))
	for i, name := range known {
		suffixes[i] = strings.TrimPrefix(name, variablePrefix)
	}
	if found := nearest.Name(suffix, suffixes); found != "" {
		return ", did you mean " + variablePrefix + found + "?"
	}
	return ": see clientsd serve --help"
}

// knownVariables returns the variables of the flags of all commands.
func knownVariables(app *kong.Application) []string {
	known := []string{keysetVariable}
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error { // returns what next does
		if flag, ok := node.(*kong.Flag); ok {
			known = append(known, flag.Envs...)
		}
		return next(nil)
	})
	return known
}
