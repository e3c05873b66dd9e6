// Command talosconfig says what Talos makes of patches to its machine configuration, with Talos' own
// code: a JSON line {"type": "controlplane", "patches": [YAML, …]} on standard input gives a JSON line
// on standard output with what Talos then reads in the configuration, or {"error": …} with what it
// refuses it for, and at which step.
//
// The configuration is the one that `talosctl gen config` of the pinned version makes. It is patched
// as `talosctl` patches, written, read again as machined reads it, and validated as machined on metal
// and `talosctl validate --strict` do.
//
//	talosconfig generate   makes the configurations of a site's nodes (generate.go)
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
	"github.com/siderolabs/talos/pkg/machinery/constants"
)

// maxLine is the longest question, in bytes.
const maxLine = 1 << 20

type question struct {
	Type    string   `json:"type"`
	Patches []string `json:"patches"`
}

// refusal is what Talos says, and when: "load" and "apply" of a patch, "read" or "validate" of the
// configuration.
type refusal struct {
	Step  string `json:"step"`
	Error string `json:"error"`
}

// metal is the mode of machined on a machine with a disk.
type metal struct{}

func (metal) String() string        { return "metal" }
func (metal) RequiresInstall() bool { return true }
func (metal) InContainer() bool     { return false }

func main() {
	if len(os.Args) == 2 && os.Args[1] == "generate" {
		if err := generateSite(os.Stdin, os.Stdout); err != nil {
			fail(err)
		}
		return
	}
	input, err := generate.NewInput("site", "https://192.0.2.1:6443", constants.DefaultKubernetesVersion,
		// As talosctl sets it.
		generate.WithInstallDisk("/dev/sda"))
	if err != nil {
		fail(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLine)
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fail(err)
		}
		if err := encoder.Encode(reply(input, asked)); err != nil {
			fail(err)
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
	if err := output.Flush(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func reply(input *generate.Input, asked question) any {
	kind, err := machine.ParseType(asked.Type)
	if err != nil {
		fail(err)
	}
	base, err := input.Config(kind)
	if err != nil {
		fail(err)
	}
	var patches []configpatcher.Patch
	for _, text := range asked.Patches {
		patch, err := configpatcher.LoadPatch([]byte(text))
		if err != nil {
			return refusal{"load", err.Error()}
		}
		patches = append(patches, patch)
	}
	patched, err := configpatcher.Apply(configpatcher.WithConfig(base), patches)
	if err != nil {
		return refusal{"apply", err.Error()}
	}
	read, err := readAgain(patched)
	if err != nil {
		return refusal{"read", err.Error()}
	}
	if warnings, err := read.Validate(metal{}, validation.WithLocal(), validation.WithStrict()); err != nil {
		return refusal{"validate", err.Error()}
	} else if len(warnings) > 0 {
		return refusal{"validate", fmt.Sprint(warnings)}
	}
	return contents(read)
}

// readAgain gives the configuration as a machine reads it that it was sent to.
func readAgain(patched configpatcher.Output) (config.Provider, error) {
	provider, err := patched.Config()
	if err != nil {
		return nil, err
	}
	text, err := provider.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	if err != nil {
		return nil, err
	}
	return configloader.NewFromBytes(text)
}
