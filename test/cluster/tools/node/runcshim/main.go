// Command runcshim stands before runc where a machine cannot do all that Talos and the kubelet ask
// for: it takes that out of the bundle's config.json and becomes runc (docs/test-talos.md). With every
// capability and every controller at hand nothing is taken out.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	runc = "/usr/bin/runc.real"
	// capSysResource lowers oom_score_adj and raises rlimits (linux/capability.h).
	capSysResource = 24
)

// controllers by the key of their limits (opencontainers/runtime-spec, config-linux.md).
var controllers = map[string]string{
	"cpu": "cpu", "memory": "memory", "pids": "pids", "hugepageLimits": "hugetlb", "blockIO": "io",
}

func main() {
	if bundle := bundleOf(os.Args); bundle != "" {
		if err := mend(filepath.Join(bundle, "config.json")); err != nil {
			fmt.Fprintln(os.Stderr, "runcshim:", err)
		}
	}
	err := syscall.Exec(runc, append([]string{"runc"}, os.Args[1:]...), os.Environ())
	fmt.Fprintln(os.Stderr, "runcshim:", err)
	os.Exit(1)
}

func bundleOf(args []string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--bundle="); ok {
			return value
		}
		if (arg == "--bundle" || arg == "-b") && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

func mend(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec map[string]any
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	if process, ok := spec["process"].(map[string]any); ok && !hasCapability(capSysResource) {
		if score, ok := process["oomScoreAdj"].(float64); ok && score < 0 {
			delete(process, "oomScoreAdj")
		}
		delete(process, "rlimits")
	}
	if linux, ok := spec["linux"].(map[string]any); ok {
		mendResources(linux)
	}
	if isKubelet(spec) {
		shareProc(spec)
	}
	if text, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// isKubelet knows the kubelet's container, which sees all processes of the node.
func isKubelet(spec map[string]any) bool {
	process, _ := spec["process"].(map[string]any)
	args, _ := process["args"].([]any)
	return len(args) > 0 && args[0] == "/usr/local/bin/kubelet"
}

// shareProc gives a container the node's /proc for one of its own, and with it the files that lie in
// the place of the machine's own settings: the kubelet writes these.
func shareProc(spec map[string]any) {
	mounts, _ := spec["mounts"].([]any)
	for _, each := range mounts {
		if mount, ok := each.(map[string]any); ok && mount["destination"] == "/proc" {
			mount["type"] = "bind"
			mount["source"] = "/proc"
			mount["options"] = []string{"rbind"}
		}
	}
}

// mendResources leaves no limit that no controller would keep: runc would refuse it.
func mendResources(linux map[string]any) {
	resources, ok := linux["resources"].(map[string]any)
	if !ok {
		return
	}
	text, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		return
	}
	have := strings.Fields(string(text))
	missing := false
	for key, controller := range controllers {
		if !slices.Contains(have, controller) {
			delete(resources, key)
			missing = true
		}
	}
	if missing {
		delete(resources, "unified")
	}
}

func hasCapability(number int) bool {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return err == nil && bits>>number&1 == 1
		}
	}
	return false
}
