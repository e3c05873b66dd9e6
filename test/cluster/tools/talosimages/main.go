// Command talosimages prints the images that Talos takes by default, by Talos' own list: a JSON object
// of their full names.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/siderolabs/talos/pkg/images"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/version"
)

func main() {
	// As `talosctl image k8s-bundle` asks for them (cmd/talosctl/cmd/talos/image.go).
	list := images.List(container.NewV1Alpha1(&v1alpha1.Config{
		MachineConfig: &v1alpha1.MachineConfig{
			MachineKubelet: &v1alpha1.KubeletConfig{},
		},
		ClusterConfig: &v1alpha1.ClusterConfig{
			EtcdConfig:              &v1alpha1.EtcdConfig{},
			APIServerConfig:         &v1alpha1.APIServerConfig{},
			ControllerManagerConfig: &v1alpha1.ControllerManagerConfig{},
			SchedulerConfig:         &v1alpha1.SchedulerConfig{},
			CoreDNSConfig:           &v1alpha1.CoreDNS{},
			ProxyConfig:             &v1alpha1.ProxyConfig{},
		},
	}))
	err := json.NewEncoder(os.Stdout).Encode(map[string]any{
		"talos": version.Tag,
		// The installer is what a node is installed and upgraded with; `talosctl image talos-bundle`.
		"installer": images.DefaultInstallerImage,
		"images": map[string]string{
			"flannel":                 list.Flannel.String(),
			"coredns":                 list.CoreDNS.String(),
			"etcd":                    list.Etcd.String(),
			"pause":                   list.Pause.String(),
			"kube-apiserver":          list.KubeAPIServer.String(),
			"kube-controller-manager": list.KubeControllerManager.String(),
			"kube-scheduler":          list.KubeScheduler.String(),
			"kube-proxy":              list.KubeProxy.String(),
			"kubelet":                 list.Kubelet.String(),
			"kube-network-policies":   list.KubeNetworkPolicies.String(),
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
