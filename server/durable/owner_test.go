package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/durable"
)

// someone is a user and a group that no test runs as.
const someone = 54321

// status says who a file belongs to, and its mode.
func status(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no owner is known")
	}
	return strconv.Itoa(int(stat.Uid)) + ":" + strconv.Itoa(int(stat.Gid)) + " " + info.Mode().String()
}

// ourselves is who the test runs as, as status says it.
func ourselves() string { return strconv.Itoa(os.Geteuid()) + ":" + strconv.Itoa(os.Getegid()) }

// given returns a folder with a file of this mode. As root, both belong to someone
// else; otherwise to whom the test runs as.
func given(t *testing.T, mode fs.FileMode) (folder, path, owner string) {
	t.Helper()
	folder = t.TempDir()
	path = filepath.Join(folder, "file")
	if err := errors.Join(write("old")(path), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return folder, path, ourselves()
	}
	if err := errors.Join(os.Chown(folder, someone, someone+1), os.Chown(path, someone, someone+1)); err != nil {
		t.Fatal(err)
	}
	return folder, path, "54321:54322"
}

func TestUpdate_KeepsOwnerGroupAndMode(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{0o600: "-rw-------", 0o640: "-rw-r-----", 0o440: "-r--r-----"} {
		t.Run(want, func(t *testing.T) {
			folder, path, owner := given(t, mode)
			if err := durable.Update(path, toNew); err != nil {
				t.Fatal(err)
			}
			wantFiles(t, folder, map[string]string{"file": "new"})
			if got := status(t, path); got != owner+" "+want {
				t.Errorf("got %s, want %s %s", got, owner, want)
			}
		})
	}
}

func TestCreate_BelongsToTheOwnerOfTheFolder(t *testing.T) {
	folder, _, owner := given(t, 0o600)
	path := filepath.Join(folder, "another")
	if err := durable.CreateFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := status(t, path); got != owner+" -rw-------" {
		t.Errorf("got %s, want %s", got, owner)
	}
	deep := filepath.Join(folder, "a", "b")
	if err := errors.Join(durable.MakeFolder(deep), durable.MakeFolder(deep)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{deep, filepath.Dir(deep)} {
		if got := status(t, path); got != owner+" drwx------" {
			t.Errorf("%s: got %s, want %s", path, got, owner)
		}
	}
}

// Root can give a file to everybody: -1 stands for an owner that it cannot give it to.
func TestUpdate_CannotKeepTheOwner(t *testing.T) {
	other := someone
	if os.Geteuid() == 0 {
		other = -1
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := write("old")(path); err != nil {
		t.Fatal(err)
	}
	before := status(t, path)
	durable.BelongTo(t, other, other)
	changed := false
	update := func() error {
		return durable.Update(path, func(old []byte) ([]byte, error) { changed = true; return old, nil })
	}
	for name, err := range map[string]error{"check": durable.CheckUpdate(path), "update": update()} {
		if !errors.Is(err, durable.ErrOwner) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "user "+strconv.Itoa(other)) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	wantFiles(t, folder, map[string]string{"file": "old"})
	if got := status(t, path); got != before || !changed {
		t.Errorf("got %s, want %s", got, before)
	}
}

// Only root is refused a new file that it cannot give to the owner of the folder:
// others work in folders that are not theirs, such as volumes they share by a group.
func TestCreate_FolderOfSomeoneElse(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if os.Geteuid() != 0 {
		durable.BelongTo(t, someone, someone)
		if err := durable.CreateFile(path, []byte("new")); err != nil {
			t.Fatal(err)
		}
		if got := status(t, path); got != ourselves()+" -rw-------" {
			t.Errorf("got %s", got)
		}
		return
	}
	durable.BelongTo(t, -1, -1)
	called := false
	err := durable.Create(path, func(string) error { called = true; return nil })
	if !errors.Is(err, durable.ErrOwner) || called {
		t.Errorf("write was called: %v, error %v", called, err)
	}
	if err := durable.MakeFolder(filepath.Join(folder, "sub")); !errors.Is(err, durable.ErrOwner) {
		t.Errorf("a folder: got error %v", err)
	}
	wantFiles(t, folder, map[string]string{})
}

// A file is flushed, with its owner and mode, before it has its name, and its folder
// after that. Otherwise a crash could leave the name of half a file, or lose it.
func TestFlush_BeforeAndAfterTheName(t *testing.T) {
	for name, publish := range map[string]func(path string) error{
		"create": func(path string) error { return errors.Join(os.Remove(path), durable.CreateFile(path, []byte("new"))) },
		"update": func(path string) error { return durable.Update(path, toNew) },
	} {
		t.Run(name, func(t *testing.T) {
			folder, path, owner := given(t, 0o600)
			var flushed []string
			durable.WatchFlushes(t, func(at string) {
				content, err := os.ReadFile(path)
				has := "no file"
				if err == nil {
					has = string(content)
				}
				if at == folder {
					flushed = append(flushed, "folder, has "+has)
					return
				}
				content, err = os.ReadFile(at)
				if err != nil {
					t.Error(err)
				}
				flushed = append(flushed, "file "+string(content)+" "+status(t, at)+", has "+has)
			})
			if err := publish(path); err != nil {
				t.Fatal(err)
			}
			before := map[string]string{"create": "no file", "update": "old"}[name]
			want := []string{"file new " + owner + " -rw-------, has " + before, "folder, has new"}
			if diff := cmp.Diff(want, flushed); diff != "" {
				t.Errorf("what was flushed (-want +got):\n%s", diff)
			}
		})
	}
}

// The kernel refuses to write a pipe to disk: something that only pretends would not.
func TestFsync_AsksTheKernel(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	if err := durable.Fsync(writer); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got error %v", err)
	}
}
