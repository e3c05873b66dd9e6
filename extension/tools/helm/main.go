// Command helm is the real helm and the real kubectl in one binary: most of
// their packages are the same, so one file is smaller than two. The name it is
// called by picks the tool. `helm gotemplate` fills in Zarf's Go templates with
// the engine that Helm has them from; `helm preview` says what an upgrade would
// do.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdfast.dev/extension/helm/gotemplate"
	"holdfast.dev/extension/helm/preview"

	helmcmd "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
)

func main() {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl") {
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "gotemplate" {
		os.Exit(gotemplate.Run(os.Stdin, os.Stdout, os.Stderr))
	}
	if err := addSetArguments(); err != nil {
		fmt.Fprintln(os.Stderr, "helm:", err)
		os.Exit(1)
	}
	// As Zarf's own Helm: of two managers the second could not change what the
	// first applied, and a package may be deployed by either.
	kube.ManagedFieldsManager = "zarf"
	if len(os.Args) == 2 && os.Args[1] == "preview" {
		os.Exit(preview.Run(os.Stdin, os.Stdout, os.Stderr))
	}
	cmd, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err != nil {
		fmt.Fprintln(os.Stderr, "helm:", err)
		os.Exit(1)
	}
	if err := cmd.Execute(); err != nil {
		var failed helmcmd.CommandError
		if errors.As(err, &failed) {
			os.Exit(failed.ExitCode)
		}
		os.Exit(1)
	}
}

// addSetArguments adds --set for each text in the JSON list that a file holds:
// as real arguments everybody on the machine could read them.
func addSetArguments() error {
	path := os.Getenv("HOLDFAST_SET")
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	for _, each := range list {
		os.Args = append(os.Args, "--set", each)
	}
	return nil
}
