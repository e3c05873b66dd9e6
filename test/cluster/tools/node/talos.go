package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Talos says that the node is one of Talos: pid 1 becomes machined, in a root of its own
// (docs/test-talos.md).
type Talos struct {
	// Root is the root file system; nodes share it and cannot write to it.
	Root string `json:"root"`
	// Cgroup is a group of a cgroup2 hierarchy, which becomes the node's own whole one.
	Cgroup string `json:"cgroup"`
	// Environment is machined's, NAME=value.
	Environment []string `json:"environment"`
	// Files are there before machined starts, content by path in the node.
	Files map[string]string `json:"files"`
	// Private are machine-wide settings under /proc/sys that machined writes to: the node gets
	// files of its own in their place.
	Private []string `json:"private"`
}

const (
	// control answers on the node's socket, beside machined.
	control = "control"
	// console has what machined says.
	console = "console.log"
	// machine is where the node's root is put together.
	machine = "machine"
	// outsideResolver is an address that leads nowhere; what is sent there is counted
	// (test/cluster/network.ts).
	outsideResolver = "203.0.113.53"
)

// persistent says which directories of the node survive a power cut, by where they lie in it.
var persistent = map[string]string{
	"var":                    "/var",
	"state":                  "/system/state",
	"opt":                    "/opt",
	"etc_cni":                "/etc/cni",
	"etc_kubernetes":         "/etc/kubernetes",
	"usr_libexec_kubernetes": "/usr/libexec/kubernetes",
}

// devices that machined, containerd and the kubelet open.
var devices = []struct {
	name         string
	major, minor int
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9},
	// The kubelet ends without the kernel's log.
	{"kmsg", 1, 11}, {"tty", 5, 0}, {"fuse", 10, 229},
}

// joinCgroup goes into the node's group, so that the cgroup namespace of what is cloned next has its
// root there.
func joinCgroup(group string) error {
	return os.WriteFile(group+"/cgroup.procs", []byte("0"), 0o644)
}

// initTalos is pid 1 until it becomes machined. It returns only when it cannot.
func initTalos(configPath string, config Config) error {
	answer := os.NewFile(3, "ready")
	syscall.CloseOnExec(3)
	err := becomeTalos(configPath, config, func() { fmt.Fprintln(answer, "ready") })
	fmt.Fprintln(answer, err)
	return err
}

func becomeTalos(configPath string, config Config, ready func()) error {
	log, err := os.OpenFile(config.Dir+"/"+console, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := startControl(config, log); err != nil {
		return err
	}
	root, err := mountTalos(config)
	if err != nil {
		return err
	}
	if err := writeFiles(root, config.Talos.Files); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return syscall.Sethostname([]byte(config.Hostname)) },
		func() error { return enterRoot(root) },
		func() error { return syscall.Dup3(int(log.Fd()), 1, 0) },
		func() error { return syscall.Dup3(int(log.Fd()), 2, 0) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	ready()
	// machined looks at the name it is called by, and not at arguments: those say whose node it is.
	return syscall.Exec("/usr/bin/init", []string{"/usr/bin/init", "init", configPath},
		config.Talos.Environment)
}

// startControl leaves a process in the node that answers on its socket: machined would not.
func startControl(config Config, log *os.File) error {
	os.Remove(config.Socket)
	// While the host's paths are what they were.
	listener, err := net.Listen("unix", config.Socket)
	if err != nil {
		return err
	}
	file, err := listener.(*net.UnixListener).File()
	if err != nil {
		return err
	}
	defer file.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self, control)
	child.Dir = "/"
	child.Stdout, child.Stderr = log, log
	child.ExtraFiles = []*os.File{file}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return err
	}
	// A group of its own: where controllers are handed on only leaves may hold processes.
	group := config.Talos.Cgroup + "/" + control
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	return os.WriteFile(group+"/cgroup.procs", []byte(fmt.Sprint(child.Process.Pid)), 0o644)
}

// serveControl answers on the socket that came as descriptor 3.
func serveControl() error {
	listener, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	syscall.CloseOnExec(3)
	return newSupervisor().serve(listener)
}

// writeFiles makes files with the directories above them.
func writeFiles(root string, files map[string]string) error {
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(root+path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(root+path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// enterRoot makes dir the root of every process of the mount namespace and lets go of the old one.
func enterRoot(dir string) error {
	const old = "/tmp/.old"
	if err := os.Mkdir(dir+old, 0o700); err != nil {
		return err
	}
	if err := syscall.PivotRoot(dir, dir+old); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := syscall.Unmount(old, syscall.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove(old)
}
