package main

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	machineconfig "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// etcd is a machine's etcd as machined keeps it (Talos 1.13, internal/app/machined/pkg/system:
// services/etcd.go, service_runner.go): a service that waits, pulls its image, then joins a cluster or,
// once it was asked for a bootstrap, makes one. That it was asked is not kept over a restart.
type etcd struct {
	files     []string
	image     bool
	waits     string
	bootstrap bool
	members   []string
	// events of the service's present runner, the oldest first.
	events []*machine.ServiceEvent
}

func newEtcd() etcd {
	e := etcd{image: true, files: []string{constants.EtcdDataPath + "/"}}
	e.start()
	return e
}

// start is a new runner of the service.
func (e *etcd) start() {
	e.events = nil
	e.say("Starting", "Starting service")
	if e.waits != "" {
		e.say("Waiting", "Waiting for "+e.waits)
		return
	}
	e.prepare()
}

// prepare goes on as far as it comes.
func (e *etcd) prepare() {
	if e.state() != "Preparing" {
		e.say("Preparing", "Running pre state")
	}
	if !e.image || (!e.bootstrap && !e.hasData()) {
		return
	}
	if !e.hasData() {
		e.files = append(e.files, constants.EtcdDataPath+"/member/")
		e.members = []string{"self"}
	}
	e.say("Running", "Started task etcd")
}

func (e *etcd) say(state, message string) {
	e.events = append(e.events, &machine.ServiceEvent{State: state, Msg: message, Ts: timestamppb.New(time.Now())})
}

func (e *etcd) state() string {
	return e.events[len(e.events)-1].GetState()
}

func (e *etcd) hasData() bool {
	return slices.ContainsFunc(e.files, func(file string) bool {
		return strings.HasPrefix(file, constants.EtcdDataPath+"/") && file != constants.EtcdDataPath+"/"
	})
}

// change does what a command says of etcd.
func (e *etcd) change(c command) {
	if c.Etcd != nil {
		e.members = *c.Etcd
	}
	if c.Files != nil {
		e.files = *c.Files
	}
	if c.EtcdImage != nil {
		e.image = *c.EtcdImage
	}
	if c.EtcdWaits != nil {
		e.waits = *c.EtcdWaits
		if e.waits == "" {
			e.prepare()
		} else {
			e.start()
		}
	}
	if c.EtcdJoins != nil {
		e.members = *c.EtcdJoins
		e.files = append(e.files, constants.EtcdDataPath+"/member/")
	}
	if e.state() == "Preparing" {
		e.prepare()
	}
	if c.EtcdFails != nil {
		e.say("Failed", *c.EtcdFails)
	}
}

// restart is a new life of the machine: what was not on a disk is forgotten.
func (n *node) restart() error {
	ctx := context.Background()
	n.Lock()
	n.etcd.bootstrap = false
	n.etcd.members = nil
	if n.etcd.hasData() {
		n.etcd.members = []string{"self"}
	}
	n.etcd.start()
	n.Unlock()
	old, err := n.resources.Get(ctx, config.NewMachineType().Metadata())
	if err != nil {
		return nil //nolint:nilerr
	}
	kind := old.(*config.MachineType).MachineType() //nolint:forcetypeassert
	if err := n.put(old, true); err != nil {
		return err
	}
	r := config.NewMachineType()
	r.SetMachineType(kind)
	return n.put(r, false)
}

// checkControlPlane is machinehelper.CheckControlplane.
func (n *node) checkControlPlane(ctx context.Context, name string) error {
	r, err := n.resources.Get(ctx, config.NewMachineType().Metadata())
	if err != nil {
		return status.Errorf(codes.Unimplemented, "machine type is not set, cannot use %s API", name)
	}
	kind := r.(*config.MachineType).MachineType() //nolint:forcetypeassert
	if kind != machineconfig.TypeControlPlane && kind != machineconfig.TypeInit {
		return status.Errorf(codes.Unimplemented, "%s is only available on control plane nodes", name)
	}
	return nil
}

func (s *machineService) Bootstrap(ctx context.Context, _ *machine.BootstrapRequest) (*machine.BootstrapResponse, error) {
	if err := s.node.checkControlPlane(ctx, "bootstrap"); err != nil {
		return nil, err
	}
	s.node.Lock()
	defer s.node.Unlock()
	if s.node.etcd.waits != "" {
		return nil, status.Error(codes.FailedPrecondition, "time is not in sync yet")
	}
	if s.node.etcd.hasData() {
		return nil, status.Error(codes.AlreadyExists, "etcd data directory is not empty")
	}
	s.node.etcd.bootstrap = true
	s.node.etcd.start()
	return &machine.BootstrapResponse{Messages: []*machine.Bootstrap{{}}}, nil
}

func (s *machineService) ServiceList(context.Context, *emptypb.Empty) (*machine.ServiceListResponse, error) {
	s.node.Lock()
	defer s.node.Unlock()
	info := &machine.ServiceInfo{
		Id:     "etcd",
		State:  s.node.etcd.state(),
		Events: &machine.ServiceEvents{Events: s.node.etcd.events},
		Health: &machine.ServiceHealth{Unknown: true},
	}
	return &machine.ServiceListResponse{Messages: []*machine.ServiceList{{Services: []*machine.ServiceInfo{info}}}}, nil
}

// List goes one level deep, the directory itself first.
func (s *machineService) List(r *machine.ListRequest, out grpc.ServerStreamingServer[machine.FileInfo]) error {
	s.node.Lock()
	files := slices.Clone(s.node.etcd.files)
	s.node.Unlock()
	root := strings.TrimSuffix(r.GetRoot(), "/")
	found := []string{}
	there := false
	for _, file := range files {
		if file == root {
			return out.Send(&machine.FileInfo{Name: root, RelativeName: path.Base(root)})
		}
		below, ok := strings.CutPrefix(file, root+"/")
		there = there || ok
		if name, _, _ := strings.Cut(below, "/"); ok && name != "" && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	if !there {
		return status.Errorf(codes.Unknown, "lstat %s: no such file or directory", root)
	}
	if err := out.Send(&machine.FileInfo{Name: root, RelativeName: ".", IsDir: true}); err != nil {
		return err
	}
	for _, name := range found {
		if err := out.Send(&machine.FileInfo{Name: root + "/" + name, RelativeName: name}); err != nil {
			return err
		}
	}
	return nil
}

func (s *machineService) EtcdMemberList(context.Context, *machine.EtcdMemberListRequest) (*machine.EtcdMemberListResponse, error) {
	s.node.Lock()
	defer s.node.Unlock()
	if len(s.node.etcd.members) == 0 {
		return nil, status.Error(codes.Unavailable, "etcd is not running")
	}
	members := []*machine.EtcdMember{}
	for i, name := range s.node.etcd.members {
		member := &machine.EtcdMember{Id: uint64(i + 1)}
		var address string
		if member.Hostname, address, _ = strings.Cut(name, "@"); address != "" {
			member.PeerUrls = []string{"https://" + address + ":2380"}
		}
		members = append(members, member)
	}
	return &machine.EtcdMemberListResponse{Messages: []*machine.EtcdMembers{{Members: members}}}, nil
}

func (s *machineService) EtcdStatus(context.Context, *emptypb.Empty) (*machine.EtcdStatusResponse, error) {
	s.node.Lock()
	defer s.node.Unlock()
	if len(s.node.etcd.members) == 0 {
		return nil, status.Error(codes.Unavailable, "etcd is not running")
	}
	return &machine.EtcdStatusResponse{Messages: []*machine.EtcdStatus{{
		MemberStatus: &machine.EtcdMemberStatus{MemberId: 1, Leader: 1, DbSize: 4096},
	}}}, nil
}
