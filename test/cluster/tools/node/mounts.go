package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// setUp makes the node's view of the machine. The order matters:
// see each step's comment.
func setUp(config Config) (net.Listener, error) {
	os.Remove(config.Socket)
	// First, while the host's paths are what they were.
	listener, err := net.Listen("unix", config.Socket)
	if err != nil {
		return nil, err
	}
	own, err := os.Open(config.Dir)
	if err != nil {
		return nil, err
	}
	defer own.Close()
	kept, err := openKept(config.Keep)
	if err != nil {
		return nil, err
	}
	steps := []func() error{
		// Nothing that the node mounts may reach the host.
		func() error { return mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") },
		func() error { return mount("proc", "/proc", "proc", 0, "") },
		func() error { return mount("tmpfs", "/run", "tmpfs", 0, "mode=755") },
		func() error { return os.MkdirAll("/run/lock", 0o755) },
		mountSys,
		func() error { return mountTunables(config.Tunables) },
		func() error { return mountOwn(fdPath(own)) },
		func() error { return bindKept(kept) },
		// Shared inside this node only, so that mountPropagation of volumes works.
		func() error { return mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "") },
		func() error { return syscall.Sethostname([]byte(config.Hostname)) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return listener, nil
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s %s: %w", kind, target, err)
	}
	return nil
}

// mountSys replaces /sys by one that shows this network namespace's devices, with the machine's
// cgroup tree put back on it.
func mountSys() error {
	const saved = "/run/cgroup"
	if err := os.Mkdir(saved, 0o755); err != nil {
		return err
	}
	if err := mount("/sys/fs/cgroup", saved, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return err
	}
	if err := syscall.Unmount("/sys", syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /sys: %w", err)
	}
	if err := mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return err
	}
	if err := mount(saved, "/sys/fs/cgroup", "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return err
	}
	if err := syscall.Unmount(saved, syscall.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove(saved)
}

// mountTunables lays files with the wanted values over machine-wide settings: the kubelet finds
// what it wants and leaves the machine alone.
func mountTunables(tunables map[string]string) error {
	for name, value := range tunables {
		target := "/proc/sys/" + name
		if _, err := os.Stat(target); err != nil {
			continue
		}
		file := "/run/tunables/" + strings.ReplaceAll(name, "/", ".")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := mount(file, target, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// mountOwn gives the node its own /etc (over the host's), /var and /tmp. The path of dir must not
// depend on what is mounted meanwhile: the node's directory may lie in the host's /var, /tmp or /run.
func mountOwn(dir string) error {
	data := fmt.Sprintf("lowerdir=/etc,upperdir=%s/etc,workdir=%s/etc.work", dir, dir)
	if err := mount("overlay", "/etc", "overlay", 0, data); err != nil {
		return err
	}
	for _, name := range []string{"var", "tmp"} {
		if err := mount(dir+"/"+name, "/"+name, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// openKept holds on to the paths that the node's own mounts will hide.
func openKept(paths []string) ([]*os.File, error) {
	var kept []*os.File
	for _, path := range paths {
		if !strings.HasPrefix(path, "/var/") && !strings.HasPrefix(path, "/tmp/") &&
			!strings.HasPrefix(path, "/run/") {
			continue
		}
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		kept = append(kept, file)
	}
	return kept, nil
}

func bindKept(kept []*os.File) error {
	for _, file := range kept {
		if err := os.MkdirAll(file.Name(), 0o755); err != nil {
			return err
		}
		if err := mount(fdPath(file), file.Name(), "", syscall.MS_BIND, ""); err != nil {
			return err
		}
		file.Close()
	}
	return nil
}

func fdPath(file *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d", file.Fd())
}
