package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/extensions/services"
)

// certain are the services and paths of which each comes on every node at every boot. kubelet and etcd
// need images that may never come, and trustd and etcd are not on workers.
var (
	certainServices = []string{"machined", "containerd", "cri", "udevd", "syslogd", "apid"}
	certainPaths    = []string{"/system/run/machined/machine.sock"}
	// The others wait for somebody else: an answer from outside, a name, a router.
	certainNetwork = []string{"addresses", "etcfiles"}
)

// checkService compares a service with what is in the image, and with what a node has.
func checkService(r *report, root, file string, spec *services.Spec) {
	if strings.TrimSuffix(file, ".yaml") != spec.Name {
		r.holdfast("service", fmt.Errorf("%s is the file of the service %q", file, spec.Name))
	}
	r.holdfast("entrypoint", checkEntrypoint(root, spec))
	r.holdfast("depends", checkDepends(spec))
	r.holdfast("mounts", checkMounts(spec))
}

func checkEntrypoint(root string, spec *services.Spec) error {
	container := filepath.Join(root, containerDir, spec.Name)
	if info, err := os.Stat(container); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no %s/%s for the service to run in", containerDir, spec.Name)
	}
	entrypoint := spec.Container.Entrypoint
	if entrypoint == "" {
		return nil // Talos says so.
	}
	if !filepath.IsAbs(entrypoint) {
		return fmt.Errorf("the entrypoint %s depends on a working directory", entrypoint)
	}
	inside, err := os.OpenRoot(container)
	if err != nil {
		return err
	}
	defer inside.Close()
	info, err := inside.Stat(strings.TrimPrefix(entrypoint, "/"))
	if err != nil {
		return fmt.Errorf("the entrypoint %s is not in the container's files", entrypoint)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("the entrypoint %s cannot be executed", entrypoint)
	}
	return nil
}

// checkDepends finds what may never come: Talos ends a boot, and goes back to the system before, when
// a service has not run once within 70 minutes.
func checkDepends(spec *services.Spec) error {
	var wrong []error
	never := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf(format+" may never come, and the node does not boot without it", args...))
	}
	for _, each := range spec.Depends {
		switch {
		case each.Time:
			never("the time")
		case each.Configuration:
			never("a configuration")
		case each.Service != "" && !slices.Contains(certainServices, each.Service):
			never("the service %s", each.Service)
		case each.Path != "" && !slices.Contains(certainPaths, each.Path):
			never("the file %s", each.Path)
		}
		for _, status := range each.Network {
			if !slices.Contains(certainNetwork, status.String()) {
				never("the network's %s", status)
			}
		}
	}
	if spec.Container.EnvironmentFile != "" {
		never("the file %s", spec.Container.EnvironmentFile)
	}
	if spec.Restart != services.RestartAlways {
		wrong = append(wrong, errors.New("the service is not always restarted"))
	}
	return errors.Join(wrong...)
}

// checkMounts finds mounts of what is not there yet, and those that would keep /var from being taken
// away at the end. Talos creates a source that is missing, also one that means nothing.
func checkMounts(spec *services.Spec) error {
	var wrong []error
	afterVar := slices.ContainsFunc(spec.Depends, func(d services.Dependency) bool { return d.Service == "cri" })
	taken := map[string]bool{}
	for _, mount := range spec.Container.Mounts {
		if !filepath.IsAbs(mount.Source) {
			wrong = append(wrong, fmt.Errorf("the source %q would be created in the root, which is read-only", mount.Source))
		}
		if !filepath.IsAbs(mount.Destination) {
			wrong = append(wrong, fmt.Errorf("the destination %q is not absolute", mount.Destination))
		}
		if taken[mount.Destination] {
			wrong = append(wrong, fmt.Errorf("two mounts have the destination %s", mount.Destination))
		}
		taken[mount.Destination] = true
		if strings.HasSuffix(mount.Source, ".sock") {
			wrong = append(wrong, fmt.Errorf("the socket %s would be created as a directory; mount its directory", mount.Source))
		}
		if under(mount.Source, "/var") {
			if !afterVar {
				wrong = append(wrong, fmt.Errorf("%s is mounted, but /var is there only after the service cri", mount.Source))
			}
			if !slices.Contains(mount.Options, "noexec") {
				wrong = append(wrong, fmt.Errorf("programs in %s could be executed", mount.Source))
			}
		}
	}
	return errors.Join(wrong...)
}

func under(path, directory string) bool {
	return path == directory || strings.HasPrefix(path, directory+"/")
}
