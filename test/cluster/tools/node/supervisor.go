package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"sync"
	"syscall"
	"time"
)

// restartPause is how long a process that is to be restarted stays down.
const restartPause = time.Second

// Request is one line of JSON on the socket.
type Request struct {
	Op      string   `json:"op"` // start, signal, wait, list, connect
	Name    string   `json:"name"`
	Argv    []string `json:"argv"`
	Env     []string `json:"env"`
	Log     string   `json:"log"`
	Restart bool     `json:"restart"`
	Signal  int      `json:"signal"`
	Address string   `json:"address"` // host:port as the node sees it
}

// Process is what is known of a started process. Pid is that of the node's own namespace.
type Process struct {
	Name     string `json:"name"`
	Pid      int    `json:"pid"`
	Running  bool   `json:"running"`
	Code     int    `json:"code"`
	Signal   int    `json:"signal"`
	Restarts int    `json:"restarts"`

	request Request
	stopped bool // told to end: not restarted
	ended   chan struct{}
}

// Response answers a request.
type Response struct {
	Error     string     `json:"error,omitempty"`
	Processes []*Process `json:"processes"`
}

type supervisor struct {
	mu        sync.Mutex
	processes map[string]*Process
}

func newSupervisor() *supervisor {
	return &supervisor{processes: map[string]*Process{}}
}

// serve reaps children and answers requests until the process is killed.
func (s *supervisor) serve(listener net.Listener) error {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	// A signal of the terminal that ran "cluster up" does not concern the node. Caught and dropped,
	// not ignored: an ignored signal stays ignored in every process that is started.
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	go func() {
		for range children {
			s.reap()
		}
	}()
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go s.answer(connection)
	}
}

func (s *supervisor) answer(connection net.Conn) {
	defer connection.Close()
	var request Request
	if err := json.NewDecoder(connection).Decode(&request); err != nil {
		return
	}
	if request.Op == "connect" {
		tunnel(connection, request.Address)
		return
	}
	processes, err := s.handle(request)
	response := Response{Processes: processes}
	if err != nil {
		response.Error = err.Error()
	}
	json.NewEncoder(connection).Encode(response)
}

func (s *supervisor) handle(request Request) ([]*Process, error) {
	if request.Op == "wait" {
		s.mu.Lock()
		process, known := s.processes[request.Name]
		s.mu.Unlock()
		if known {
			<-process.ended
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch request.Op {
	case "start":
		if old, known := s.processes[request.Name]; known && old.Running {
			return nil, fmt.Errorf("%s already runs", request.Name)
		}
		process := &Process{Name: request.Name, request: request, ended: make(chan struct{})}
		if err := process.start(); err != nil {
			return nil, err
		}
		s.processes[request.Name] = process
		return s.snapshot(request.Name)
	case "signal":
		process, known := s.processes[request.Name]
		if !known {
			return nil, fmt.Errorf("no process is called %q", request.Name)
		}
		if request.Signal == int(syscall.SIGKILL) || request.Signal == int(syscall.SIGTERM) {
			process.stop()
		}
		if process.Running {
			if err := syscall.Kill(process.Pid, syscall.Signal(request.Signal)); err != nil {
				return nil, err
			}
		}
		return s.snapshot(request.Name)
	case "wait":
		return s.snapshot(request.Name)
	case "list":
		return s.snapshot("")
	}
	return nil, fmt.Errorf("unknown request %q", request.Op)
}

// snapshot copies one process's state or, without a name, everyone's.
func (s *supervisor) snapshot(name string) ([]*Process, error) {
	found := []*Process{}
	for _, process := range s.processes {
		if name == "" || process.Name == name {
			copied := *process
			found = append(found, &copied)
		}
	}
	if name != "" && len(found) == 0 {
		return nil, fmt.Errorf("no process is called %q", name)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found, nil
}

func (p *Process) start() error {
	if len(p.request.Argv) == 0 {
		return errors.New("nothing to start")
	}
	if err := os.MkdirAll(filepath.Dir(p.request.Log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(p.request.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	started, err := os.StartProcess(p.request.Argv[0], p.request.Argv, &os.ProcAttr{
		Dir:   "/",
		Env:   p.request.Env,
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	p.Pid, p.Running, p.Code, p.Signal = started.Pid, true, 0, 0
	return started.Release()
}

// stop says that the coming end is wanted.
func (p *Process) stop() {
	if !p.stopped {
		p.stopped = true
		if !p.Running {
			close(p.ended)
		}
	}
}

// reap collects every child that has ended: ours, and orphans that came to pid 1.
func (s *supervisor) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, process := range s.processes {
			if process.Running && process.Pid == pid {
				s.ended(process, status)
			}
		}
	}
}

func (s *supervisor) ended(process *Process, status syscall.WaitStatus) {
	process.Running = false
	if status.Signaled() {
		process.Signal = int(status.Signal())
	} else {
		process.Code = status.ExitStatus()
	}
	if process.stopped || !process.request.Restart {
		process.stopped = true
		close(process.ended)
		return
	}
	process.Restarts++
	time.AfterFunc(restartPause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !process.stopped {
			if err := process.start(); err != nil {
				process.stop()
			}
		}
	})
}
