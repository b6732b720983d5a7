package secret_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"clientsd/server/secret"
)

func TestCreateKeyset_FileForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	created, err := secret.CreateKeyset(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("got mode %v, error %v", info.Mode(), err)
	}
	read, err := secret.ReadKeyset(path)
	if err != nil {
		t.Fatal(err)
	}
	check, err := sealer(t, created).SealCheck()
	if err != nil || read.OpenCheck(check) != nil {
		t.Errorf("the read keyset differs from the created one: %v", errors.Join(err, read.OpenCheck(check)))
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, error %v", entries, err)
	}
}

func TestCreateKeyset_NeverReplacesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.CreateKeyset(path); !errors.Is(err, fs.ErrExist) || !strings.HasPrefix(err.Error(), "create keyset: ") {
		t.Errorf("got error %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "precious" {
		t.Errorf("the file holds %q, error %v", content, err)
	}
}

func TestReadKeyset_FileThatOthersCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	if _, err := secret.CreateKeyset(path); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[fs.FileMode]bool{
		0o400: false, 0o600: false, 0o440: false, 0o640: false, 0o660: false,
		0o604: true, 0o620: true, 0o644: true, 0o444: true, 0o650: true, 0o666: true, 0o700: true, 0o777: true,
	} {
		t.Run(fmt.Sprintf("%04o", mode), func(t *testing.T) {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			_, err := secret.ReadKeyset(path)
			want := fmt.Sprintf("read keyset: %s has mode %04o, others can read it: chmod 600", path, mode)
			if refused != (err != nil) || refused && err.Error() != want {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// The group may read the file only if this process is in it. A user who is not root
// can give a file to no other group, so there the groups of the process are replaced.
func TestReadKeyset_FileThatAnotherGroupCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	if _, err := secret.CreateKeyset(path); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		secret.NotInGroup(t)
	} else if err := os.Chown(path, -1, 54321); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[fs.FileMode]bool{0o400: false, 0o600: false, 0o440: true, 0o640: true, 0o660: true} {
		t.Run(fmt.Sprintf("%04o", mode), func(t *testing.T) {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			_, err := secret.ReadKeyset(path)
			want := fmt.Sprintf("read keyset: %s has mode %04o, and this process is not in its group: chmod 600, or run it in that group", path, mode)
			if refused != (err != nil) || refused && err.Error() != want {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestReadKeyset_NoFile(t *testing.T) {
	if _, err := secret.ReadKeyset(filepath.Join(t.TempDir(), "keyset.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v", err)
	}
}

func TestParseKeyset_NoKeysetAndNotQuoted(t *testing.T) {
	macs, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	var foreign strings.Builder
	if err := insecurecleartextkeyset.Write(macs, keyset.NewJSONWriter(&foreign)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ content, want string }{
		"nothing":              {"", "parse keyset: not a Tink keyset in JSON"},
		"no JSON":              {"PRECIOUS", "parse keyset: not a Tink keyset in JSON"},
		"other JSON":           {`{"PRECIOUS": 1}`, "parse keyset: not a Tink keyset in JSON"},
		"no key":               {`{"primaryKeyId": 1, "key": []}`, "parse keyset: not a Tink keyset in JSON"},
		"keys of another kind": {foreign.String(), "parse keyset: its keys are not AEAD keys"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := secret.ParseKeyset([]byte(tt.content)); got != nil || err == nil || err.Error() != tt.want {
				t.Errorf("got %v, error %v, want %s", got, err, tt.want)
			}
		})
	}
}
