package openapi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every reason in the source of the server must be in the document.
func TestReasons_AreThoseOfTheCode(t *testing.T) {
	schema := at(load(t), "components", "schemas", "google.rpc.ErrorInfo", "properties", "reason")
	if diff := cmp.Diff(reasonsOfCode(t), texts(schema["enum"])); diff != "" {
		t.Errorf("(-code +document):\n%s", diff)
	}
}

func TestReasons_AreWhereCallersLook(t *testing.T) {
	reasons := reasonsOfCode(t)
	for file, quote := range map[string]string{"docs/api.md": "`", "gen/ts/README.md": "`", "gen/ts/errors.ts": `"`} {
		text, err := os.ReadFile(filepath.Join("../../..", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range reasons {
			if !strings.Contains(string(text), quote+reason+quote) {
				t.Errorf("%s does not have %s", file, reason)
			}
		}
	}
}

// isReason matches what the server writes as the reason of an error.
var isReason = regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`)

// reasonsOfCode returns every text in capitals that the server's source gives to
// a field or a constant that is named after a reason.
func reasonsOfCode(t *testing.T) (reasons []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			reasons = append(reasons, reasonsOf(n)...)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// reasonsOf returns the texts of `Reason: "TEXT"` and `ReasonName = "TEXT"`.
func reasonsOf(n ast.Node) (reasons []string) {
	var values []ast.Expr
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if name, ok := n.Key.(*ast.Ident); ok && name.Name == "Reason" {
			values = []ast.Expr{n.Value}
		}
	case *ast.ValueSpec:
		if strings.HasPrefix(strings.ToLower(n.Names[0].Name), "reason") {
			values = n.Values
		}
	}
	for _, value := range values {
		literal, ok := value.(*ast.BasicLit)
		if !ok {
			continue
		}
		if text, err := strconv.Unquote(literal.Value); err == nil && isReason.MatchString(text) {
			reasons = append(reasons, text)
		}
	}
	return reasons
}
