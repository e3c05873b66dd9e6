package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const readOnly = syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY

// mountTalos builds the tree that becomes machined's root and gives its path on the host.
func mountTalos(config Config) (string, error) {
	root := config.Dir + "/" + machine
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	steps := []func() error{
		// Nothing that the node mounts may reach the host.
		func() error { return mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") },
		func() error { return mount(config.Talos.Root, root, "", syscall.MS_BIND, "") },
		func() error { return mount("", root, "", readOnly, "") },
		func() error { return mountMemory(root) },
		func() error { return mountPersistent(root, config.Dir) },
		func() error { return mountNames(root, config) },
		func() error { return mount("proc", root+"/proc", "proc", 0, "") },
		func() error { return mount("sysfs", root+"/sys", "sysfs", 0, "") },
		// The namespace's root is the node's group: machined wants a whole hierarchy of version 2,
		// which a machine with controllers of version 1 does not have.
		func() error { return mount("cgroup2", root+"/sys/fs/cgroup", "cgroup2", 0, "") },
		func() error { return fencePrivate(root, config.Talos.Private) },
		func() error { return makeDevices(root + "/dev") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return "", err
		}
	}
	return root, nil
}

func mountMemory(root string) error {
	for _, dir := range []string{"run", "system", "tmp", "dev"} {
		if err := mount("tmpfs", root+"/"+dir, "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	if err := os.Mkdir(root+"/system/state", 0o755); err != nil {
		return err
	}
	return os.Chmod(root+"/tmp", 0o1777)
}

func mountPersistent(root, dir string) error {
	for name, target := range persistent {
		if err := os.MkdirAll(dir+"/"+name, 0o755); err != nil {
			return err
		}
		if err := mount(dir+"/"+name, root+target, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// mountNames lays files of the node's own over those that machined writes in container mode.
func mountNames(root string, config Config) error {
	for name, content := range map[string]string{
		"hostname": config.Hostname + "\n",
		"hosts":    "127.0.0.1 localhost\n",
		// Outside, so that a look-up is counted (test/cluster/network.ts).
		"resolv.conf": "nameserver " + outsideResolver + "\n",
	} {
		file := config.Dir + "/" + name
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
		if err := mount(file, root+"/etc/"+name, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// fencePrivate keeps machined from the machine's own settings: what lies under kernel, vm and fs is
// not the namespace's. net is, and stays as it is.
func fencePrivate(root string, private []string) error {
	sys := root + "/proc/sys/"
	for _, dir := range []string{"kernel", "vm", "fs"} {
		if err := mount(sys+dir, sys+dir, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
		if err := mount("", sys+dir, "", readOnly, ""); err != nil {
			return err
		}
	}
	for _, name := range private {
		value, err := os.ReadFile(sys + name)
		if err != nil {
			return err
		}
		file := root + "/tmp/.sysctl/" + strings.ReplaceAll(name, "/", ".")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, value, 0o644); err != nil {
			return err
		}
		if err := mount(file, sys+name, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

func makeDevices(dev string) error {
	syscall.Umask(0)
	defer syscall.Umask(0o022)
	for _, device := range devices {
		number := device.major<<8 | device.minor
		path := dev + "/" + device.name
		if err := syscall.Mknod(path, syscall.S_IFCHR|0o666, number); err != nil {
			return fmt.Errorf("mknod %s: %w", path, err)
		}
	}
	for name, kind := range map[string]string{"pts": "devpts", "shm": "tmpfs", "mqueue": "mqueue"} {
		if err := os.Mkdir(dev+"/"+name, 0o755); err != nil {
			return err
		}
		data := ""
		if kind == "devpts" {
			data = "newinstance,ptmxmode=0666"
		}
		if err := mount(kind, dev+"/"+name, kind, 0, data); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd",
		"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, dev+"/"+name); err != nil {
			return err
		}
	}
	return nil
}
