package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version prints the version of this binary.
type Version struct{}

// Run prints one line: version, commit if known, Go, platform.
func (Version) Run(env *Environment) error {
	_, err := fmt.Fprintf(env.Stdout, "clientsd %s%s %s %s/%s\n",
		env.Version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return " (" + setting.Value + ")"
		}
	}
	return ""
}
