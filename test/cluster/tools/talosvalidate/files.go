package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/extensions"
)

// checkFiles finds what Talos overlooks: it compares paths as text, so /usr/localevil passes, and asks
// the kind of an entry for its permissions, which are not in it.
func checkFiles(root string) error {
	var wrong []error
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		wrong = append(wrong, checkMode(name, info.Mode())...)
		if !info.IsDir() && !isAllowed(name) {
			wrong = append(wrong, fmt.Errorf("%s only begins like a path that is allowed", name))
		}
		if name == "/"+agentMode {
			wrong = append(wrong, fmt.Errorf("%s makes Talos refuse upgrades", name))
		}
		return nil
	})
	return errors.Join(append(wrong, err)...)
}

func checkMode(name string, mode fs.FileMode) (wrong []error) {
	if mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		wrong = append(wrong, fmt.Errorf("%s is setuid or setgid", name))
	}
	if mode&fs.ModeSymlink == 0 && mode.Perm()&0o002 != 0 {
		wrong = append(wrong, fmt.Errorf("%s may be written by everybody (%o)", name, mode.Perm()))
	}
	if mode.IsDir() && mode.Perm() != 0o755 {
		wrong = append(wrong, fmt.Errorf("the directory %s is %o, and becomes the node's own", name, mode.Perm()))
	}
	return wrong
}

// isAllowed compares whole names. Some of Talos' entries are beginnings of names on purpose, and none
// of them is where this extension has files; what Talos itself refuses is reported by Talos.
func isAllowed(name string) bool {
	return !slices.ContainsFunc(extensions.AllowedPaths, func(allowed string) bool {
		return strings.HasPrefix(name, allowed) && name != allowed && !strings.HasPrefix(name, allowed+"/")
	})
}
