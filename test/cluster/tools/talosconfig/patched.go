package main

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
)

// mode is where machined runs, which decides what a configuration must hold.
type mode string

const (
	// metal is a machine with a disk.
	metal mode = "metal"
	// container is namespaces of a machine.
	container mode = "container"
)

func (m mode) String() string        { return string(m) }
func (m mode) RequiresInstall() bool { return m == metal }
func (m mode) InContainer() bool     { return m == container }

// refusal is what Talos says, and when: "load" and "apply" of a patch, "read" or "validate" of the
// configuration.
type refusal struct {
	Step string `json:"step"`
	Why  string `json:"error"`
}

func (r refusal) Error() string { return r.Why }

// patched gives the configuration of a node as a machine reads it that it was sent to. What Talos
// refuses is a refusal.
func patched(input *generate.Input, asked question) (config.Provider, error) {
	kind, err := machine.ParseType(asked.Type)
	if err != nil {
		return nil, err
	}
	base, err := input.Config(kind)
	if err != nil {
		return nil, err
	}
	var patches []configpatcher.Patch
	for _, text := range asked.Patches {
		patch, err := configpatcher.LoadPatch([]byte(text))
		if err != nil {
			return nil, refusal{"load", err.Error()}
		}
		patches = append(patches, patch)
	}
	output, err := configpatcher.Apply(configpatcher.WithConfig(base), patches)
	if err != nil {
		return nil, refusal{"apply", err.Error()}
	}
	read, err := readAgain(output)
	if err != nil {
		return nil, refusal{"read", err.Error()}
	}
	return read, nil
}

func readAgain(output configpatcher.Output) (config.Provider, error) {
	provider, err := output.Config()
	if err != nil {
		return nil, err
	}
	text, err := provider.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	if err != nil {
		return nil, err
	}
	return configloader.NewFromBytes(text)
}
