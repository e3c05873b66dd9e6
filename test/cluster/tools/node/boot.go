package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Config says what a node is; test/cluster/node.ts writes it.
type Config struct {
	Hostname string `json:"hostname"`
	// Dir holds the node's own var, tmp, etc (upper) and etc.work directories.
	Dir string `json:"dir"`
	// Socket is where pid 1 takes requests.
	Socket string `json:"socket"`
	// Keep lists paths of the host that stay visible where the node's own /var, /tmp or /run
	// would hide them.
	Keep []string `json:"keep"`
	// Tunables are machine-wide settings under /proc/sys that the kubelet insists on. The node
	// sees these values; the machine keeps its own.
	Tunables map[string]string `json:"tunables"`
	// Talos is there for a node of Talos, and then nothing of Keep and Tunables is.
	Talos *Talos `json:"talos"`
}

func readConfig(path string) (Config, error) {
	var config Config
	text, err := os.ReadFile(path)
	if err != nil {
		return config, err
	}
	return config, json.Unmarshal(text, &config)
}

// boot starts pid 1 in its namespaces and waits until the node is set up.
func boot(configPath string, config Config) error {
	flags := uintptr(syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS |
		syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET)
	if config.Talos != nil {
		flags |= syscall.CLONE_NEWCGROUP
		if err := joinCgroup(config.Talos.Cgroup); err != nil {
			return err
		}
	}
	ready, readyWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self, "init", configPath)
	child.Dir = "/"
	child.ExtraFiles = []*os.File{readyWrite}
	child.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: flags,
	}
	if err := child.Start(); err != nil {
		return err
	}
	readyWrite.Close()
	answer, err := io.ReadAll(ready)
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(string(answer)); text != "ready" {
		return fmt.Errorf("pid 1 did not come up: %s", text)
	}
	fmt.Println(child.Process.Pid)
	return nil
}

// initNode is pid 1. It never returns on success.
func initNode(configPath string, config Config) error {
	if config.Talos != nil {
		return initTalos(configPath, config)
	}
	answer := os.NewFile(3, "ready")
	syscall.CloseOnExec(3)
	listener, err := setUp(config)
	if err != nil {
		fmt.Fprintln(answer, err)
		return err
	}
	fmt.Fprintln(answer, "ready")
	answer.Close()
	return newSupervisor().serve(listener)
}
