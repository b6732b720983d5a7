// Command clientsd keeps OAuth clients and rotates their secrets.
package main

import (
	"os"

	"clientsd/server/command"
)

// version is set by the linker for a release.
var version = "dev"

func main() { os.Exit(command.Main(version)) }
