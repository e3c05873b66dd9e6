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
	"errors"
	"fmt"
	"os"

	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
	"github.com/siderolabs/talos/pkg/machinery/constants"
)

// maxLine is the longest question, in bytes.
const maxLine = 1 << 20

type question struct {
	Type    string   `json:"type"`
	Patches []string `json:"patches"`
}

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
	read, err := patched(input, asked)
	var refused refusal
	if errors.As(err, &refused) {
		return refused
	}
	if err != nil {
		fail(err)
	}
	if warnings, err := read.Validate(metal, validation.WithLocal(), validation.WithStrict()); err != nil {
		return refusal{"validate", err.Error()}
	} else if len(warnings) > 0 {
		return refusal{"validate", fmt.Sprint(warnings)}
	}
	return contents(read)
}
