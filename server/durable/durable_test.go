package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// toNew replaces what it is given.
func toNew([]byte) ([]byte, error) { return []byte("new"), nil }

func TestUpdate_ChangesTheContent(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := write("old")(path); err != nil {
		t.Fatal(err)
	}
	err := durable.Update(path, func(old []byte) ([]byte, error) { return append(old, " and new"...), nil })
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, folder, map[string]string{"file": "old and new"})
}

func TestUpdate_FileMissing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := durable.Update(path, toNew); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v", err)
	}
	if err := durable.CheckUpdate(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v", err)
	}
	wantFiles(t, folder, map[string]string{})
}

func TestUpdate_ReaderKeepsTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := write("old")(path); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := durable.Update(path, toNew); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if n, err := reader.Read(got); err != nil || string(got[:n]) != "old" {
		t.Errorf("got %q, error %v", got[:n], err)
	}
}

func TestUpdate_ChangeFails(t *testing.T) {
	folder, failed := t.TempDir(), errors.New("change has failed")
	path := filepath.Join(folder, "file")
	if err := write("old")(path); err != nil {
		t.Fatal(err)
	}
	if err := durable.Update(path, func([]byte) ([]byte, error) { return []byte("new"), failed }); !errors.Is(err, failed) {
		t.Errorf("got error %v", err)
	}
	wantFiles(t, folder, map[string]string{"file": "old"})
}

// Something that does not know of the lock changes the file: cp, an editor.
func TestUpdate_FileChangedWithoutTheLock(t *testing.T) {
	for name, tt := range map[string]struct {
		meddle func(path string) error
		want   string
	}{
		"written over": {write("theirs"), "theirs"},
		"replaced": {func(path string) error {
			return errors.Join(write("two")(path+".theirs"), os.Rename(path+".theirs", path))
		}, "two"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "file")
			if err := write("one")(path); err != nil {
				t.Fatal(err)
			}
			err := durable.Update(path, func([]byte) ([]byte, error) { return []byte("ours"), tt.meddle(path) })
			if !errors.Is(err, durable.ErrChanged) {
				t.Errorf("got error %v", err)
			}
			wantFiles(t, folder, map[string]string{"file": tt.want})
		})
	}
}

// Kubernetes mounts a Secret as a link to a link to a folder.
func TestUpdate_ThroughSymlinks(t *testing.T) {
	folder := t.TempDir()
	data := filepath.Join(folder, "..2026_11_26")
	path := filepath.Join(folder, "file")
	err := errors.Join(os.Mkdir(data, 0o700), write("old")(filepath.Join(data, "file")),
		os.Symlink("..2026_11_26", filepath.Join(folder, "..data")), os.Symlink("..data/file", path))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(durable.CheckUpdate(path), durable.Update(path, toNew)); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, data, map[string]string{"file": "new"})
	if target, err := os.Readlink(path); err != nil || target != "..data/file" {
		t.Errorf("the link leads to %q, error %v", target, err)
	}
}

// Each of several that change a file concurrently must see the changes before its own.
func TestUpdate_Concurrently(t *testing.T) {
	const writers, each = 6, 5
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := write("")(path); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				if err := durable.Update(path, func(old []byte) ([]byte, error) { return append(old, '.'), nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	wantFiles(t, folder, map[string]string{"file": strings.Repeat(".", writers*each)})
}

func TestCreate_WriteFails(t *testing.T) {
	failed := errors.New("write has failed")
	for name, tt := range map[string]struct {
		write func(string) error
		is    error
	}{
		"an error":         {func(string) error { return failed }, failed},
		"half of the file": {func(path string) error { return errors.Join(write("ha")(path), failed) }, failed},
		"no file is left":  {func(string) error { return nil }, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			err := durable.Create(filepath.Join(folder, "file"), tt.write)
			if !errors.Is(err, tt.is) || errors.Is(err, durable.ErrNotFlushed) {
				t.Errorf("got error %v", err)
			}
			wantFiles(t, folder, map[string]string{})
		})
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
