package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/durable"
)

// write returns a function that writes content to the path it is given.
func write(content string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(content), 0o600) }
}

// wantFiles fails the test unless the folder holds exactly these files, by name
// and content.
func wantFiles(t *testing.T, folder string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[entry.Name()] = string(content)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", folder, diff)
	}
}

func TestCreate_NewFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	err := durable.Create(path, func(scratch string) error {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file has its name before it is written, error %v", err)
		}
		info, err := os.Stat(filepath.Dir(scratch))
		if err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("the scratch folder: got %v, error %v", info, err)
		}
		return write("new")(scratch)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, folder, map[string]string{"file": "new"})
}

func TestCreate_FileExists(t *testing.T) {
	for name, occupy := range map[string]func(path string) error{
		"before":         write("old"),
		"while writing":  func(string) error { return nil },
		"a dead symlink": func(path string) error { return os.Symlink("nowhere", path) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "file")
			if err := occupy(path); err != nil {
				t.Fatal(err)
			}
			err := durable.Create(path, func(scratch string) error {
				if name == "while writing" {
					return errors.Join(write("old")(path), write("new")(scratch))
				}
				return write("new")(scratch)
			})
			if !errors.Is(err, fs.ErrExist) || errors.Is(err, durable.ErrNotFlushed) {
				t.Errorf("got error %v", err)
			}
			if name == "a dead symlink" {
				if target, err := os.Readlink(path); err != nil || target != "nowhere" {
					t.Errorf("the link leads to %q, error %v", target, err)
				}
				return
			}
			wantFiles(t, folder, map[string]string{"file": "old"})
		})
	}
}

func TestReplace(t *testing.T) {
	for name, before := range map[string]string{"no file": "", "a file": "old"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "file")
			if before != "" {
				if err := write(before)(path); err != nil {
					t.Fatal(err)
				}
			}
			if err := durable.Replace(path, write("new")); err != nil {
				t.Fatal(err)
			}
			wantFiles(t, folder, map[string]string{"file": "new"})
		})
	}
}

func TestReplace_ReaderKeepsTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := write("old")(path); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := durable.Replace(path, write("new")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if n, err := reader.Read(got); err != nil || string(got[:n]) != "old" {
		t.Errorf("got %q, error %v", got[:n], err)
	}
}

func TestPublish_WriteFails(t *testing.T) {
	failed := errors.New("write has failed")
	for name, tt := range map[string]struct {
		write func(string) error
		is    error
	}{
		"an error":         {func(string) error { return failed }, failed},
		"half of the file": {func(path string) error { return errors.Join(write("ha")(path), failed) }, failed},
		"no file is left":  {func(string) error { return nil }, fs.ErrNotExist},
	} {
		for verb, publish := range map[string]func(string, func(string) error) error{"create": durable.Create, "replace": durable.Replace} {
			t.Run(verb+", "+name, func(t *testing.T) {
				folder := t.TempDir()
				err := publish(filepath.Join(folder, "file"), tt.write)
				if !errors.Is(err, tt.is) || errors.Is(err, durable.ErrNotFlushed) {
					t.Errorf("got error %v", err)
				}
				wantFiles(t, folder, map[string]string{})
			})
		}
	}
}

func TestCreate_FolderMissing(t *testing.T) {
	err := durable.Create(filepath.Join(t.TempDir(), "none", "file"), write("new"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v", err)
	}
}

// A folder that can be written to but not read cannot be flushed.
func TestCreate_FolderNotFlushed(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads every folder")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	err := durable.Create(path, func(scratch string) error {
		return errors.Join(write("new")(scratch), os.Chmod(folder, 0o300))
	})
	if !errors.Is(err, durable.ErrNotFlushed) {
		t.Errorf("got error %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "new" {
		t.Errorf("the file holds %q, error %v", content, err)
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
}
