package server_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// makesFiles matches the functions of os that make, replace or give away a file.
var makesFiles = regexp.MustCompile(`^(Chmod|Chown|CopyFS|Create|CreateTemp|Lchown|Link|Mkdir|MkdirAll|MkdirTemp|OpenFile|Rename|Symlink|Truncate|WriteFile)$`)

// Every file that the program makes goes through server/durable: it is flushed to disk
// before it has its name, and belongs to whom it should.
func TestFiles_OnlyDurableMakesThem(t *testing.T) {
	want := []string{
		"command/demo.go: os.MkdirTemp",        // a folder of its own, which it removes
		"database/sqlite_open.go: os.OpenFile", // in a scratch folder of server/durable
	}
	var got []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"api/openapi/complete", "durable", "servertest", "systemtest", "wiretest"}, path):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if from, ok := call.X.(*ast.Ident); ok && from.Name == "os" && makesFiles.MatchString(call.Sel.Name) {
				got = append(got, fmt.Sprintf("%s: os.%s", path, call.Sel.Name))
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what makes files (-want +got):\n%s", diff)
	}
}
