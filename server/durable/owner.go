package durable

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// ErrOwner reports that a file would belong to another user or group than the file
// that it replaces, or than its folder. Its server could not read it any more.
var ErrOwner = errors.New("the file would change its owner")

// errIgnored reports a file system that has no owners of its own.
var errIgnored = errors.New("the file system ignores the owner")

// idsOf returns the user and the group that a file is to have. Tests replace it.
var idsOf = ids //nolint:gochecknoglobals // see above

// InGroup reports whether this process is in the group of a file.
func InGroup(info fs.FileInfo) bool {
	_, gid := ids(info)
	groups, err := os.Getgroups()
	return gid == os.Getegid() || err == nil && slices.Contains(groups, gid)
}

// ids returns user and group of a file.
func ids(info fs.FileInfo) (uid, gid int) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return os.Geteuid(), os.Getegid()
	}
	return int(stat.Uid), int(stat.Gid)
}

// owner says who a file is to belong to.
type owner struct {
	uid, gid int
	mode     fs.FileMode // 0: as it is
	// required refuses a file that cannot have this user and group.
	required bool
}

// ownerOf returns the owner of a file that replaces another.
func ownerOf(old fs.FileInfo) owner {
	uid, gid := idsOf(old)
	return owner{uid: uid, gid: gid, mode: old.Mode().Perm(), required: true}
}

// ownerForNew returns the owner of what is made in a folder: that of the folder.
// Only root can give files away. Another user owns what it makes, as in /tmp and on
// volumes that it shares by a group; the group is that of the folder if the user is
// in it.
func ownerForNew(folder string) (owner, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return owner{}, err
	}
	uid, gid := idsOf(info)
	return owner{uid: uid, gid: gid, required: os.Geteuid() == 0}, nil
}

// finish gives the file to its owner, and flushes it to disk.
func (o owner) finish(path string) error {
	if err := o.give(path, path); err != nil {
		return err
	}
	return flush(path)
}

// give gives the file path to its owner. The error names another file, for which
// path stands.
func (o owner) give(path, name string) error {
	uid, gid, err := idsAt(path)
	switch {
	case err != nil:
		return err
	case uid == o.uid && gid == o.gid:
	case !o.required:
		_ = os.Lchown(path, -1, o.gid) // see ownerForNew
	default:
		err = os.Lchown(path, o.uid, o.gid)
		if nowUID, nowGID, statErr := idsAt(path); err == nil && (statErr != nil || nowUID != o.uid || nowGID != o.gid) {
			err = cmp.Or(statErr, errIgnored)
		}
		if err != nil {
			return fmt.Errorf("%s: %w from user %d, group %d to user %d, group %d: run the command as the user that the server runs as, or as root: %w",
				name, ErrOwner, o.uid, o.gid, uid, gid, err)
		}
	}
	if o.mode != 0 {
		return os.Chmod(path, o.mode)
	}
	return nil
}

func idsAt(path string) (uid, gid int, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, 0, err
	}
	uid, gid = ids(info)
	return uid, gid, nil
}
