package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

var errContainer = status.Error(codes.FailedPrecondition, "method is not supported in container mode")

type machineService struct {
	machine.UnimplementedMachineServiceServer
	node *node
}

func (s *machineService) Version(context.Context, *emptypb.Empty) (*machine.VersionResponse, error) {
	return &machine.VersionResponse{Messages: []*machine.Version{{
		Version:  &machine.VersionInfo{Tag: "v1.13.0", Arch: "amd64"},
		Platform: &machine.PlatformInfo{Name: "metal", Mode: "metal"},
	}}}, nil
}

func (s *machineService) Reboot(context.Context, *machine.RebootRequest) (*machine.RebootResponse, error) {
	s.node.Lock()
	defer s.node.Unlock()
	if s.node.container {
		return nil, errContainer
	}
	return &machine.RebootResponse{Messages: []*machine.Reboot{{ActorId: "actor"}}}, nil
}

// ServiceStart is for all services but etcd (internal/app/machined/pkg/system/services).
func (s *machineService) ServiceStart(_ context.Context, r *machine.ServiceStartRequest) (*machine.ServiceStartResponse, error) {
	if r.GetId() == "etcd" {
		return nil, fmt.Errorf("service %q doesn't support start operation via API", r.GetId())
	}
	return &machine.ServiceStartResponse{Messages: []*machine.ServiceStart{{
		Resp: fmt.Sprintf("Service %q started", r.GetId()),
	}}}, nil
}

type imageService struct {
	machine.UnimplementedImageServiceServer
	node *node
}

// store is the images of one containerd namespace.
func (n *node) store(instance *common.ContainerdInstance) (map[string]int64, error) {
	if instance.GetDriver() == common.ContainerDriver_CONTAINERD && instance.GetNamespace() == common.ContainerdNamespace_NS_CRI {
		return nil, status.Error(codes.InvalidArgument, "the namespace is not supported by the driver")
	}
	key := instance.String()
	if n.images[key] == nil {
		n.images[key] = map[string]int64{}
	}
	return n.images[key], nil
}

func (s *imageService) List(r *machine.ImageServiceListRequest, out grpc.ServerStreamingServer[machine.ImageServiceListResponse]) error {
	s.node.Lock()
	defer s.node.Unlock()
	images, err := s.node.store(r.GetContainerd())
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(images)) {
		if err := out.Send(&machine.ImageServiceListResponse{Name: name, Size: images[name]}); err != nil {
			return err
		}
	}
	return nil
}

func (s *imageService) Pull(r *machine.ImageServicePullRequest, out grpc.ServerStreamingServer[machine.ImageServicePullResponse]) error {
	s.node.Lock()
	defer s.node.Unlock()
	images, err := s.node.store(r.GetContainerd())
	if err != nil {
		return err
	}
	images[r.GetImageRef()] = 1
	progress := &machine.ImageServicePullProgress{LayerId: "layer"}
	if err := out.Send(&machine.ImageServicePullResponse{Response: &machine.ImageServicePullResponse_PullProgress{PullProgress: progress}}); err != nil {
		return err
	}
	return out.Send(&machine.ImageServicePullResponse{Response: &machine.ImageServicePullResponse_Name{Name: r.GetImageRef()}})
}

func (s *imageService) Import(in grpc.ClientStreamingServer[machine.ImageServiceImportRequest, machine.ImageServiceImportResponse]) error {
	first, err := in.Recv()
	if err != nil {
		return err
	}
	if first.GetContainerd() == nil {
		return status.Error(codes.InvalidArgument, "the first message names the containerd instance")
	}
	size := int64(0)
	for {
		message, err := in.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		size += int64(len(message.GetImageChunk().GetBytes()))
	}
	s.node.Lock()
	defer s.node.Unlock()
	images, err := s.node.store(first.GetContainerd())
	if err != nil {
		return err
	}
	name := fmt.Sprintf("imported:%d", size)
	images[name] = size
	return in.SendAndClose(&machine.ImageServiceImportResponse{Name: name})
}

type lifecycleService struct {
	machine.UnimplementedLifecycleServiceServer
	node *node
}

func (s *lifecycleService) Upgrade(r *machine.LifecycleServiceUpgradeRequest, out grpc.ServerStreamingServer[machine.LifecycleServiceUpgradeResponse]) error {
	s.node.Lock()
	defer s.node.Unlock()
	if s.node.container {
		return errContainer
	}
	images, err := s.node.store(r.GetContainerd())
	if err != nil {
		return err
	}
	name := r.GetSource().GetImageName()
	if _, there := images[name]; !there {
		return status.Errorf(codes.NotFound, "image %q: not found", name)
	}
	send := func(p *machine.LifecycleServiceInstallProgress) error {
		return out.Send(&machine.LifecycleServiceUpgradeResponse{Progress: p})
	}
	line := &machine.LifecycleServiceInstallProgress{Response: &machine.LifecycleServiceInstallProgress_Message{Message: "running installer " + name}}
	if err := send(line); err != nil {
		return err
	}
	return send(&machine.LifecycleServiceInstallProgress{Response: &machine.LifecycleServiceInstallProgress_ExitCode{ExitCode: s.node.exitCode}})
}
