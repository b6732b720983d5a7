package binary_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/command"
	"clientsd/server/secret"
	"clientsd/server/servertest"
)

// A household is a folder in which the operator, who runs the tests and the commands,
// and the user of the server work. If the operator is root, the server runs as someone
// else, as in production. Otherwise both are the same user.
type household struct {
	folder, data string
	program      string // a copy that every user can run
	uid, gid     int    // of the server
}

func newHousehold(t *testing.T) household {
	t.Helper()
	folder, err := os.MkdirTemp("", "clientsd-household-") //nolint:usetesting // only its owner can enter what is in t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) }) // a folder of the system's
	h := household{folder: folder, data: filepath.Join(folder, "data"), program: filepath.Join(folder, "program"), uid: os.Geteuid(), gid: os.Getegid()}
	if isRoot() {
		h.uid, h.gid = 54321, 54322
	}
	binary, err := os.ReadFile(os.Args[0])
	err = errors.Join(err, os.Chmod(folder, 0o755), os.WriteFile(h.program, binary, 0o755), os.Mkdir(h.data, 0o700), os.Lchown(h.data, h.uid, h.gid))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func isRoot() bool { return os.Geteuid() == 0 }

// command is a run of the program as the server's user, who is in further groups.
func (h household) command(t *testing.T, groups []uint32, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.program, args...)
	cmd.Env, cmd.Dir = append(os.Environ(), asProgram+"=1"), h.folder
	if isRoot() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(h.uid), Gid: uint32(h.gid), Groups: groups}}
	}
	return cmd
}

// serve starts the server as its user.
func (h household) serve(t *testing.T, groups []uint32, flags ...string) *process {
	t.Helper()
	flags = append([]string{"--data-dir", h.data}, flags...)
	p := startServe(t, h.data, h.command(t, groups, append([]string{"serve", "--addr", "127.0.0.1:0"}, flags...)...))
	token, err := h.command(t, groups, append([]string{"token", "--scope", strings.Join(servertest.All, " ")}, flags...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	p.token = strings.TrimSpace(string(token))
	return p
}

// ownerOf says who a file belongs to and its mode.
func ownerOf(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no owner is known")
	}
	return fmt.Sprintf("%d:%d %04o", stat.Uid, stat.Gid, info.Mode().Perm())
}

// wantOwned fails the test unless the files are the server's alone.
func (h household) wantOwned(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		want := fmt.Sprintf("%d:%d 0600", h.uid, h.gid)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			want = fmt.Sprintf("%d:%d 0700", h.uid, h.gid)
		}
		if got := ownerOf(t, path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func (h household) keyset() string { return filepath.Join(h.data, "keyset.json") }

// age makes the last change of the keyset so old that no command waits.
func (h household) age(t *testing.T) {
	t.Helper()
	if err := os.Chtimes(h.keyset(), time.Time{}, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
}

// stop ends a server as a process manager does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := errors.Join(p.cmd.Process.Signal(syscall.SIGTERM), p.cmd.Wait()); err != nil {
		t.Error(err)
	}
}

// wantShown fails the test unless the server shows the current secret of a client.
func (h *history) wantShown(t *testing.T, p *process) {
	t.Helper()
	read, err := p.clients().GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: h.id, IncludeSecret: true})
	if err != nil || read.GetClient().GetClientSecret() != h.secrets[len(h.secrets)-1] {
		t.Errorf("got %v, error %v", read, err)
	}
}

// Root changes the keyset of a server that runs as someone else. The server goes on
// reading it, now and after a restart.
func TestKeyset_ChangedByRoot(t *testing.T) {
	h := newHousehold(t)
	p := h.serve(t, nil)
	client := p.register(t)
	database := filepath.Join(h.data, "clientsd.db")
	for _, args := range [][]string{{"keyset", "rotate"}, {"keyset", "rekey"}, {"keyset", "prune"}, {"keyset", "info"}} {
		h.age(t)
		do(t, append(args, "--data-dir", h.data)...)
		h.wantOwned(t, h.keyset(), database, database+"-wal", database+"-shm")
		client.wantShown(t, p)
	}
	p.stop(t)
	h.age(t)
	for _, args := range [][]string{{"keyset", "rotate"}, {"keyset", "rekey"}, {"signing-key", "rotate"}, {"migrate"}} {
		h.age(t)
		do(t, append(args, "--data-dir", h.data)...)
		h.wantOwned(t, h.keyset(), database)
	}
	p = h.serve(t, nil)
	client.wantShown(t, p)
	p.stop(t)
}

// What root makes in the folder of the server is the server's.
func TestFiles_MadeByRoot(t *testing.T) {
	h := newHousehold(t)
	nested := filepath.Join(h.data, "nested")
	p := startProcess(t, nested)
	p.stop(t)
	database, keyset := filepath.Join(nested, "clientsd.db"), filepath.Join(nested, "keyset.json")
	h.wantOwned(t, nested, database, keyset)
	created, backup := filepath.Join(h.data, "created.json"), filepath.Join(h.data, "backup.db")
	do(t, "keyset", "create", created)
	do(t, "backup", backup, "--data-dir", nested)
	again := filepath.Join(h.data, "deep", "again")
	do(t, "restore", backup, "--data-dir", again, "--keyset", keyset)
	h.wantOwned(t, created, backup, filepath.Dir(again), again, filepath.Join(again, "clientsd.db"))
}

// The server may read its keyset by its group. A command that runs as the server's user
// cannot keep the owner of the file: it changes nothing, neither file nor database.
func TestKeyset_OwnerCannotBeKept(t *testing.T) {
	if !isRoot() {
		t.Skip("only root gives files away; server/durable tests the refusal without root")
	}
	h := newHousehold(t)
	h.serve(t, nil).stop(t)
	const operator = 54333
	if err := errors.Join(os.Lchown(h.keyset(), operator, h.gid), os.Chmod(h.keyset(), 0o640)); err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(h.data, "clientsd.db")
	before, beforeKeys := read(t, database), read(t, h.keyset())
	for _, name := range []string{"rotate", "prune"} {
		output, err := h.command(t, nil, "keyset", name, "--data-dir", h.data).CombinedOutput()
		want := fmt.Sprintf("clientsd: write keyset: %s: the file would change its owner from user %d, group %d to user %d, group %d: "+
			"run the command as the user that the server runs as, or as root: ", h.keyset(), operator, h.gid, h.uid, h.gid)
		if err == nil || !strings.HasPrefix(string(output), want) {
			t.Errorf("%s: got %s, error %v\nwant %s", name, output, err, want)
		}
	}
	if !bytes.Equal(before, read(t, database)) || !bytes.Equal(beforeKeys, read(t, h.keyset())) {
		t.Error("something was changed")
	}
	if got, want := ownerOf(t, h.keyset()), fmt.Sprintf("%d:%d 0640", operator, h.gid); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	entries, err := os.ReadDir(h.data)
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder has %v, error %v", entries, err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Someone who is not root makes files in a folder that is not theirs, such as /tmp or a
// volume that a group shares.
func TestKeysetCreate_InAFolderOfSomeoneElse(t *testing.T) {
	h := newHousehold(t)
	shared := filepath.Join(h.folder, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o700), os.Chmod(shared, 0o777)); err != nil { // of the operator
		t.Fatal(err)
	}
	path := filepath.Join(shared, "keyset.json")
	if output, err := h.command(t, nil, "keyset", "create", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	h.wantOwned(t, path)
}

// secretVolume makes a folder as Kubernetes mounts a Secret: a link to a link to the
// file, which the group of the pod (fsGroup) can read and nobody changes.
func (h household) secretVolume(t *testing.T, content []byte, mode fs.FileMode, group int) (path string) {
	t.Helper()
	folder := filepath.Join(h.folder, "volume")
	data := filepath.Join(folder, "..2026_11_26")
	file := filepath.Join(data, "keyset.json")
	path = filepath.Join(folder, "keyset.json")
	err := errors.Join(os.MkdirAll(data, 0o755), os.WriteFile(file, content, 0o600), os.Chmod(file, mode), os.Lchown(file, os.Geteuid(), group),
		os.Symlink("..2026_11_26", filepath.Join(folder, "..data")), os.Symlink("..data/keyset.json", path))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServe_KeysetOfASecretVolume(t *testing.T) {
	h := newHousehold(t)
	h.serve(t, nil).stop(t)
	content := read(t, h.keyset())
	if err := os.Remove(h.keyset()); err != nil {
		t.Fatal(err)
	}
	group := os.Getegid()
	if isRoot() {
		group = 54399
	}
	path := h.secretVolume(t, content, 0o440, group)
	p := h.serve(t, []uint32{uint32(group)}, "--keyset", path)
	client := p.register(t)
	client.wantShown(t, p)
	p.stop(t)

	// Where the volume is no Secret but a folder, a command changes the target.
	if err := os.Chmod(path, 0o600); err != nil { // root is not in the group
		t.Fatal(err)
	}
	do(t, "keyset", "rotate", "--data-dir", h.data, "--keyset", path)
	if target, err := os.Readlink(path); err != nil || target != "..data/keyset.json" {
		t.Errorf("the link leads to %q, error %v", target, err)
	}
	file := filepath.Join(filepath.Dir(path), "..2026_11_26", "keyset.json")
	if got, want := ownerOf(t, file), fmt.Sprintf("%d:%d 0600", os.Geteuid(), group); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if bytes.Equal(content, read(t, file)) {
		t.Error("the target has not changed")
	}

	// Someone who is not in the group is refused.
	if !isRoot() {
		return
	}
	if err := os.Chmod(path, 0o440); err != nil {
		t.Fatal(err)
	}
	output, err := h.command(t, nil, "keyset", "info", "--data-dir", h.data, "--keyset", path).CombinedOutput()
	if err == nil || !strings.HasSuffix(string(output), " has mode 0440, and this process is not in its group: chmod 600, or run it in that group\n") {
		t.Errorf("got %s, error %v", output, err)
	}
}

// Six operators rotate the keyset concurrently. Each key that a command has named is in
// the file, and every secret opens.
func TestKeysetRotate_SixProcesses(t *testing.T) {
	const processes, rounds = 6, 3
	dir := t.TempDir()
	p := startProcess(t, dir)
	client := p.register(t)
	named := regexp.MustCompile(`^key (\d+) is the primary key now`)
	first, err := secret.ReadKeyset(filepath.Join(dir, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{strconv.FormatUint(uint64(first.Primary()), 10): true}
	for range rounds {
		var group sync.WaitGroup
		outputs := make([]bytes.Buffer, processes)
		for i := range outputs {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "keyset", "rotate", "--data-dir", dir)
			cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), asProgram+"=1"), &outputs[i], io.Discard
			group.Go(func() {
				if err := cmd.Run(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for i := range outputs {
			match := named.FindStringSubmatch(outputs[i].String())
			if match == nil {
				t.Fatalf("got %s", &outputs[i])
			}
			want[match[1]] = true
		}
	}
	got := map[string]bool{}
	after, err := secret.ReadKeyset(filepath.Join(dir, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range after.Keys() {
		got[strconv.FormatUint(uint64(key.ID), 10)] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 1+processes*rounds {
		t.Errorf("%d keys, keys in the file (-named +got):\n%s", len(want), diff)
	}
	client.wantShown(t, p)
	p.stop(t)
}

// The keyset of before the last rotation is put back: the start names what is missing.
func TestServe_KeysetFromBeforeARotation(t *testing.T) {
	dir := t.TempDir()
	keyset := filepath.Join(dir, "keyset.json")
	p := startProcess(t, dir)
	client := p.register(t)
	older := read(t, keyset)
	p.stop(t)
	do(t, "keyset", "rotate", "--data-dir", dir)
	newer := read(t, keyset)
	p = startProcess(t, dir)
	answer, err := p.clients().RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: client.id, IncludeSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	client.secrets = append(client.secrets, answer.GetClientSecret())
	p.stop(t)
	added, err := secret.ParseKeyset(newer)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("clientsd: open %s: the keyset is older than the data: put its newest copy in its place: it lacks key %d, which has sealed 1 rows\n",
		filepath.Join(dir, "clientsd.db"), added.Primary())
	for _, args := range [][]string{
		{"serve", "--addr", "127.0.0.1:0"},
		{"token", "--scope", "oauth:clients:read"},
		{"keyset", "rotate"},
		{"keyset", "rekey"},
		{"keyset", "prune"},
		{"keyset", "info"},
		{"signing-key", "rotate"},
		{"migrate"},
	} {
		if err := os.WriteFile(keyset, older, 0o600); err != nil {
			t.Fatal(err)
		}
		wantFailed(t, want, append(args, "--data-dir", dir)...)
		if !bytes.Equal(older, read(t, keyset)) {
			t.Errorf("%v: the keyset has changed", args)
		}
	}
	if err := os.WriteFile(keyset, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	p = startProcess(t, dir)
	client.wantShown(t, p)
	p.stop(t)
}

// wantFailed fails the test unless a command fails with this text.
func wantFailed(t *testing.T, want string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := command.Run(t.Context(), version, args, &stdout, &stderr)
	if code != 1 || stdout.Len() > 0 || !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("%v: exit code %d, %s%s\nwant %s", args, code, &stdout, &stderr, want)
	}
}
