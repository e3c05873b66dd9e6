// Command server serves Talos' API on a unix socket, on Talos' own definitions and with its roles,
// without a Talos below it: what a node in a container refuses (an upgrade, a reboot) can be asked of
// it. It prints a line of JSON for each call, and reads lines of JSON that change what it holds.
//
//	server SOCKET
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"sync"

	cosi "github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/state/protobuf/server"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
)

// maxMessage is machined's (constants.GRPCMaxMessageSize).
const maxMessage = 32 * 1024 * 1024

// command is a line that changes something; the members that are there are done.
type command struct {
	// Kubernetes is the localhost admin's kubeconfig; an empty one takes the resource away.
	Kubernetes *string `json:"kubernetes"`
	// MachineType is "controlplane", "worker" or "init".
	MachineType *string `json:"machineType"`
	// Nodename is the name of the Kubernetes node.
	Nodename *string `json:"nodename"`
	// Container makes it a node in a container, which refuses to be upgraded or started anew.
	Container *bool `json:"container"`
	// Fail makes calls of a method fail with a status until it is 0.
	Fail *failure `json:"fail"`
	// Etcd is the members, NAME or NAME@ADDRESS; none is an etcd that does not run.
	Etcd *[]string `json:"etcd"`
	// Files are the paths on the machine's disks; one that ends with a slash is a directory.
	Files *[]string `json:"files"`
	// EtcdImage is whether etcd's image can be pulled; it can be until it is said.
	EtcdImage *bool `json:"etcdImage"`
	// EtcdWaits is what etcd's service waits for before anything else; nothing when it is empty.
	EtcdWaits *string `json:"etcdWaits"`
	// EtcdFails has etcd's service fail for this reason.
	EtcdFails *string `json:"etcdFails"`
	// EtcdJoins lets etcd's service join a cluster of these members.
	EtcdJoins *[]string `json:"etcdJoins"`
	// Restart starts the machine anew; what is on its disks stays.
	Restart bool `json:"restart"`
	// Addresses of the machine, with the length of their network: "10.0.0.1/24".
	Addresses *[]string `json:"addresses"`
	// Site is what the machines of one site have in common.
	Site *site `json:"site"`
	// Token is what the machines of one site have for each other; an empty one takes it away.
	Token *string `json:"token"`
	// Endpoints are the addresses of Kubernetes by the machine configuration.
	Endpoints *[]string `json:"endpoints"`
	// KubeletImage is the kubelet's.
	KubeletImage *string `json:"kubeletImage"`
	// Discovered is who else Talos' discovery knows.
	Discovered *[]discovered `json:"discovered"`
	// ExitCode is what the next installers end with.
	ExitCode *int32 `json:"exitCode"`
	// Drop closes every connection.
	Drop bool `json:"drop"`
}

type site struct {
	// Endpoint is the cluster's: "https://10.0.0.1:6443".
	Endpoint string `json:"endpoint"`
	// KubernetesCA is a certificate, EtcdKey the key of etcd's authority; both PEM.
	KubernetesCA string `json:"kubernetesCA"`
	EtcdKey      string `json:"etcdKey"`
}

type discovered struct {
	Name        string   `json:"name"`
	Addresses   []string `json:"addresses"`
	MachineType string   `json:"machineType"`
}

type failure struct {
	Method  string `json:"method"`
	Code    uint32 `json:"code"`
	Message string `json:"message"`
	// After is how many messages of a stream come first.
	After int `json:"after"`
	// Millis is how long it takes before anything comes.
	Millis int `json:"millis"`
}

var output = struct {
	sync.Mutex
	*json.Encoder
}{Encoder: json.NewEncoder(os.Stdout)}

func say(line any) {
	output.Lock()
	defer output.Unlock()
	if err := output.Encode(line); err != nil {
		log.Fatal(err)
	}
}

func main() {
	log.SetFlags(0)
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	tracked := &connections{Listener: listener, open: map[net.Conn]bool{}}
	node := newNode()
	gate := &gate{failures: map[string]failure{}}
	s := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.UnaryInterceptor(gate.unary),
		grpc.StreamInterceptor(gate.stream),
	)
	machine.RegisterMachineServiceServer(s, &machineService{node: node})
	machine.RegisterImageServiceServer(s, &imageService{node: node})
	machine.RegisterLifecycleServiceServer(s, &lifecycleService{node: node})
	cosi.RegisterStateServer(s, server.NewState(node.guarded()))
	go func() {
		if err := s.Serve(tracked); err != nil {
			log.Fatal(err)
		}
	}()
	say(map[string]string{"listening": os.Args[1]})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		if err := obey(lines.Bytes(), node, gate, tracked); err != nil {
			say(map[string]string{"error": err.Error()})
			continue
		}
		say(map[string]bool{"done": true})
	}
}

func obey(line []byte, node *node, gate *gate, tracked *connections) error {
	var c command
	if err := json.Unmarshal(line, &c); err != nil {
		return fmt.Errorf("a line that is no command: %w", err)
	}
	if c.Fail != nil {
		gate.set(*c.Fail)
	}
	if c.Drop {
		tracked.drop()
	}
	return node.change(c)
}

// connections can be closed all at once, as when the process at the other end dies.
type connections struct {
	net.Listener
	sync.Mutex
	open map[net.Conn]bool
}

func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.Lock()
		defer c.Unlock()
		c.open[conn] = true
	}
	return conn, err
}

func (c *connections) drop() {
	c.Lock()
	defer c.Unlock()
	for conn := range c.open {
		conn.Close() //nolint:errcheck
		delete(c.open, conn)
	}
}
