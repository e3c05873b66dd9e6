package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/blang/semver/v4"
	"github.com/siderolabs/talos/pkg/machinery/extensions"
	"github.com/siderolabs/talos/pkg/machinery/extensions/services"
	"go.yaml.in/yaml/v4"
)

// Where machined looks (Talos 1.13.0, pkg/machinery/constants).
const (
	specDir      = "usr/local/etc/containers"
	containerDir = "usr/local/lib/containers"
	// agentMode makes Talos refuse upgrades and more.
	agentMode = "usr/local/etc/is-metal-agent"
)

// report collects findings.
type report struct{ found []Finding }

func (r *report) talos(check string, err error)    { r.add("talos", check, err) }
func (r *report) holdfast(check string, err error) { r.add("holdfast", check, err) }

func (r *report) add(by, check string, err error) {
	if err == nil {
		return
	}
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, each := range many.Unwrap() {
			r.add(by, check, each)
		}
		return
	}
	r.found = append(r.found, Finding{by, check, strings.TrimSpace(err.Error())})
}

// check looks at an unpacked image with everything there is.
func check(dir, talosVersion string) []Finding {
	r := &report{found: []Finding{}}
	version, err := semver.ParseTolerant(talosVersion)
	if err != nil {
		r.holdfast("version", err)
		return r.found
	}
	extension, err := extensions.Load(dir)
	if err != nil {
		r.talos("load", err)
		return r.found
	}
	// The imager asks for the first only: a path that is not allowed is laid over the root all the same.
	r.talos("constraint", extension.Validate(
		extensions.WithValidateConstraints(), extensions.WithTalosVersion(&version)))
	r.talos("contents", extension.Validate(
		extensions.WithValidateContents(), extensions.WithTalosVersion(&version)))
	if extension.Manifest.Metadata.Compatibility.Talos.Version == "" {
		r.holdfast("constraint", errors.New("no version of Talos is named, so every one takes it"))
	}
	r.holdfast("manifest", strict(filepath.Join(dir, "manifest.yaml"), &extensions.Manifest{}))
	r.holdfast("files", checkFiles(extension.RootfsPath()))
	checkServices(r, extension.RootfsPath())
	return r.found
}

// checkServices looks at every file in the directory of service specs.
func checkServices(r *report, root string) {
	files, _ := filepath.Glob(filepath.Join(root, specDir, "*"))
	names := map[string]string{}
	for _, path := range files {
		file := filepath.Base(path)
		if filepath.Ext(path) != ".yaml" {
			r.holdfast("service", fmt.Errorf("%s: Talos reads only *.yaml", file))
			continue
		}
		var spec services.Spec
		if err := decode(path, &spec); err != nil {
			r.talos("service", fmt.Errorf("%s: %w", file, err))
			continue
		}
		// machined says it in its log, and boots without the service.
		r.talos("service", spec.Validate())
		r.holdfast("service", strict(path, &services.Spec{}))
		if other, taken := names[spec.Name]; taken {
			r.talos("service", fmt.Errorf("%s and %s both name the service %q", other, file, spec.Name))
		}
		names[spec.Name] = file
		checkService(r, root, file, &spec)
	}
	if len(names) == 0 {
		r.holdfast("service", fmt.Errorf("no service is in %s, so Talos runs none", specDir))
	}
}

func decode(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.NewDecoder(bytes.NewReader(content)).Decode(into)
}

// strict decodes once more and refuses keys that Talos would not look at.
func strict(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err = decoder.Decode(into); err == nil {
		return nil
	}
	// What is wrong beside an unknown key has been said already.
	var lines []error
	for _, line := range strings.Split(err.Error(), "\n") {
		if strings.Contains(line, "not found in type") {
			lines = append(lines, fmt.Errorf("%s: %s", filepath.Base(path), strings.TrimSpace(line)))
		}
	}
	return errors.Join(lines...)
}
