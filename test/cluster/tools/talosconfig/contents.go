package main

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/siderolabs/talos/pkg/machinery/config"
)

type contained struct {
	Services      []service         `json:"services"`
	Mirrors       map[string]mirror `json:"mirrors"`
	Volumes       []volume          `json:"volumes"`
	KubeletMounts []specs.Mount     `json:"kubeletMounts"`
	Time          timeSync          `json:"time"`
	Discovery     bool              `json:"discovery"`
	// Scheduling is whether pods may run on a control plane.
	Scheduling bool `json:"scheduling"`
}

type service struct {
	Name        string            `json:"name"`
	Files       map[string]string `json:"files"`
	Environment []string          `json:"environment"`
}

type mirror struct {
	Endpoints    []endpoint `json:"endpoints"`
	SkipFallback bool       `json:"skipFallback"`
}

type endpoint struct {
	URL          string `json:"url"`
	OverridePath bool   `json:"overridePath"`
}

type volume struct {
	Name string `json:"name"`
	// Kind is "user" or "existing".
	Kind     string `json:"kind"`
	Type     string `json:"type,omitempty"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

type timeSync struct {
	Disabled bool     `json:"disabled"`
	Servers  []string `json:"servers"`
}

// contents is what Talos reads of what concerns Holdfast.
func contents(read config.Provider) contained {
	has := contained{
		Services:      []service{},
		Mirrors:       map[string]mirror{},
		Volumes:       volumes(read),
		KubeletMounts: read.Machine().Kubelet().ExtraMounts(),
		Discovery:     read.Cluster().Discovery().Enabled(),
		Scheduling:    read.Cluster().ScheduleOnControlPlanes(),
	}
	for _, each := range read.ExtensionServiceConfigs() {
		files := map[string]string{}
		for _, file := range each.ConfigFiles() {
			files[file.MountPath()] = file.Content()
		}
		has.Services = append(has.Services, service{each.Name(), files, each.Environment()})
	}
	for name, each := range read.RegistryMirrorConfigs() {
		endpoints := []endpoint{}
		for _, one := range each.Endpoints() {
			endpoints = append(endpoints, endpoint{one.Endpoint(), one.OverridePath()})
		}
		has.Mirrors[name] = mirror{endpoints, each.SkipFallback()}
	}
	if sync := read.NetworkTimeSyncConfig(); sync != nil {
		has.Time = timeSync{sync.Disabled(), sync.Servers()}
	}
	return has
}

func volumes(read config.Provider) []volume {
	found := []volume{}
	for _, each := range read.UserVolumeConfigs() {
		kind := each.Type().ValueOrZero().String()
		found = append(found, volume{Name: each.Name(), Kind: "user", Type: kind})
	}
	for _, each := range read.ExistingVolumeConfigs() {
		found = append(found, volume{Name: each.Name(), Kind: "existing", ReadOnly: each.Mount().ReadOnly()})
	}
	return found
}
