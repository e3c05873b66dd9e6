package main

import (
	"context"
	"strings"
	"sync"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/resource/meta/spec"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	machineconfig "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sensitivity of the types that there are, by their own definitions.
var sensitivity = map[resource.Type]spec.Sensitivity{
	secrets.KubernetesType: secrets.KubernetesExtension{}.ResourceDefinition().Sensitivity,
	config.MachineTypeType: (&config.MachineType{}).ResourceDefinition().Sensitivity,
	k8s.NodenameType:       k8s.NodenameExtension{}.ResourceDefinition().Sensitivity,

	secrets.KubernetesRootType: secrets.KubernetesRootExtension{}.ResourceDefinition().Sensitivity,
	secrets.OSRootType:         secrets.OSRootExtension{}.ResourceDefinition().Sensitivity,
	k8s.EndpointType:           k8s.EndpointExtension{}.ResourceDefinition().Sensitivity,
	k8s.KubeletSpecType:        k8s.KubeletSpecExtension{}.ResourceDefinition().Sensitivity,
	secrets.EtcdRootType:       secrets.EtcdRootExtension{}.ResourceDefinition().Sensitivity,
	network.NodeAddressType:    network.NodeAddressExtension{}.ResourceDefinition().Sensitivity,
	cluster.MemberType:         cluster.MemberExtension{}.ResourceDefinition().Sensitivity,
}

// node is what one machine is.
type node struct {
	sync.Mutex
	resources state.State
	container bool
	etcd      etcd
	exitCode  int32
	// images that each containerd namespace has.
	images map[string]map[string]int64
}

func newNode() *node {
	return &node{
		resources: state.WrapCore(namespaced.NewState(inmem.Build)),
		images:    map[string]map[string]int64{},
		etcd:      newEtcd(),
	}
}

// guarded is the state as the API lets it be seen (Talos 1.13, internal/app/resources/access.go).
func (n *node) guarded() state.CoreState {
	return state.Filter(n.resources, func(ctx context.Context, access state.Access) error {
		if !access.Verb.Readonly() {
			return status.Error(codes.PermissionDenied, "write access is not allowed")
		}
		level, known := sensitivity[access.ResourceType]
		if !known {
			return status.Errorf(codes.PermissionDenied, "resource type %q is not supported", access.ResourceType)
		}
		if level == meta.Sensitive && !rolesOf(ctx).Includes(role.Admin) {
			return errNotAuthorized
		}
		return nil
	})
}

func (n *node) change(c command) error {
	if c.Restart {
		if err := n.restart(); err != nil {
			return err
		}
	}
	n.Lock()
	if c.Container != nil {
		n.container = *c.Container
	}
	n.etcd.change(c)
	if c.ExitCode != nil {
		n.exitCode = *c.ExitCode
	}
	n.Unlock()
	if err := n.changeSite(c); err != nil {
		return err
	}
	if c.Kubernetes != nil {
		r := secrets.NewKubernetes()
		r.TypedSpec().LocalhostAdminKubeconfig = *c.Kubernetes
		if err := n.put(r, *c.Kubernetes == ""); err != nil {
			return err
		}
	}
	if c.MachineType != nil {
		r := config.NewMachineType()
		kind, err := machineconfig.ParseType(*c.MachineType)
		if err != nil {
			return err
		}
		r.SetMachineType(kind)
		if err := n.put(r, false); err != nil {
			return err
		}
	}
	if c.Nodename != nil {
		r := k8s.NewNodename(k8s.NamespaceName, k8s.NodenameID)
		r.TypedSpec().Nodename = strings.TrimSpace(*c.Nodename)
		return n.put(r, false)
	}
	return nil
}

// put writes a resource anew, or takes it away.
func (n *node) put(r resource.Resource, gone bool) error {
	ctx := context.Background()
	old, err := n.resources.Get(ctx, r.Metadata())
	switch {
	case state.IsNotFoundError(err) && gone:
		return nil
	case state.IsNotFoundError(err):
		return n.resources.Create(ctx, r)
	case err != nil:
		return err
	case gone:
		return n.resources.Destroy(ctx, old.Metadata())
	}
	r.Metadata().SetVersion(old.Metadata().Version())
	return n.resources.Update(ctx, r)
}
