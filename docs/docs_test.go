// Package docs_test checks that what the pages name exists: linked files and
// headings, paths of the code, and the flags of serve.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"clientsd/server/command"
)

const root = ".."

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	path    = regexp.MustCompile(`(?:^|[\s\x60\x22(])((?:server|proto|gen|ent|docs)/[\w./-]*\w)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	flag    = regexp.MustCompile("(?m)^\\| (`--.+?) \\|")
	dropped = regexp.MustCompile(`[^\w\- ]`)
)

func TestPages_LinksAndPathsExist(t *testing.T) {
	t.Parallel()
	found := pages(t)
	if len(found) < 10 {
		t.Fatalf("found %d pages", len(found))
	}
	for name, text := range found {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			checkLink(t, found, name, match[1])
		}
		for _, named := range path.FindAllStringSubmatch(link.ReplaceAllString(text, "]"), -1) {
			if !exists(filepath.Join(root, named[1])) {
				t.Errorf("%s: there is no %s", name, named[1])
			}
		}
	}
}

func TestOperations_ListsEveryFlagOfServe(t *testing.T) {
	t.Parallel()
	var listed, want []string
	for _, row := range flag.FindAllStringSubmatch(pages(t)["docs/operations.md"], -1) {
		listed = append(listed, strings.Split(strings.ReplaceAll(row[1], "`", ""), ", ")...)
	}
	parser, err := kong.New(&struct{ command.Serve }{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parser.Model.Flags {
		if !f.Hidden && f.Name != "help" {
			want = append(want, "--"+f.Name)
		}
	}
	slices.Sort(listed)
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("docs/operations.md lists the flags\n%v, serve has\n%v", listed, want)
	}
}

// pages returns every Markdown file of the repository by its path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", ".cache", "node_modules", "third_party"}, entry.Name()):
			return filepath.SkipDir
		case filepath.Ext(file) != ".md":
			return nil
		}
		text, err := os.ReadFile(file)
		name, _ := filepath.Rel(root, file)
		found[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func checkLink(t *testing.T, pages map[string]string, page, target string) {
	t.Helper()
	if strings.Contains(target, "://") {
		return
	}
	file, anchor, _ := strings.Cut(target, "#")
	linked := page
	if file != "" {
		linked = filepath.Join(filepath.Dir(page), file)
	}
	if !exists(filepath.Join(root, linked)) {
		t.Errorf("%s: the link %s leads nowhere", page, target)
	}
	if anchor != "" && !slices.Contains(anchors(pages[linked]), anchor) {
		t.Errorf("%s: the link %s names a heading that is not there", page, target)
	}
}

// anchors returns the names by which the headings of a page can be linked.
func anchors(text string) (names []string) {
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		name := dropped.ReplaceAllString(strings.ToLower(match[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
