// Package preview says what `helm upgrade --install` would do with a release:
// it runs Helm's own code with an API client that only asks, every writing
// request a server-side dry run, and a copy of the release's history in memory.
// One JSON document comes on standard input, one goes out on standard output:
// both may hold secrets.
package preview

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/action"
	chartaccess "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/loader"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/cli/values"
	"helm.sh/helm/v4/pkg/getter"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/postrenderer"
	releasecommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
)

// How long Helm gives a hook; none is waited for.
const hookTimeout = time.Minute

type request struct {
	Release   string `json:"release"`
	Namespace string `json:"namespace"`
	// A directory or an archive.
	Chart string `json:"chart"`
	// The last one wins.
	ValuesFiles []string `json:"valuesFiles"`
	// As of --set.
	Set []string `json:"set"`
	// true, false or auto
	ServerSide       string `json:"serverSide"`
	SchemaValidation bool   `json:"schemaValidation"`
}

type answer struct {
	// install or upgrade
	Action string `json:"action"`
	// The revision that is deployed; 0 is none.
	Revision int `json:"revision"`
	// Revisions that a crash left in the middle of an operation; they are as good
	// as gone here.
	Pending []int `json:"pending"`
	// In Helm's order.
	Objects []object `json:"objects"`
	// Why Helm would not come to the end.
	Error string `json:"error,omitempty"`
}

// Run answers one request and returns the exit code.
func Run(stdin io.Reader, stdout, stderr io.Writer) int {
	var asked request
	if err := json.NewDecoder(stdin).Decode(&asked); err != nil {
		fmt.Fprintln(stderr, "Error: the request is not readable:", err)
		return 1
	}
	answered, err := asked.preview()
	if err != nil {
		fmt.Fprintln(stderr, "Error:", err)
		return 1
	}
	if err := json.NewEncoder(stdout).Encode(answered); err != nil {
		fmt.Fprintln(stderr, "Error:", err)
		return 1
	}
	return 0
}

// preview fails only where nothing at all can be said.
func (r request) preview() (*answer, error) {
	settings := cli.New()
	settings.SetNamespace(r.Namespace)
	getClient, ok := settings.RESTClientGetter().(*genericclioptions.ConfigFlags)
	if !ok {
		return nil, errors.New("Helm's configuration is not as expected")
	}
	neverWrite(getClient)
	cfg := action.NewConfiguration()
	if err := cfg.Init(getClient, r.Namespace, "secret"); err != nil {
		return nil, err
	}
	if err := cfg.KubeClient.IsReachable(); err != nil {
		return nil, err
	}
	answered := &answer{Objects: []object{}, Pending: []int{}}
	history, err := r.history(cfg.Releases, answered)
	if err != nil {
		return nil, err
	}
	client, ok := cfg.KubeClient.(*kube.Client)
	if !ok {
		return nil, errors.New("Helm's client is not as expected")
	}
	asking := &recorder{Client: client, namespaces: map[string]bool{}}
	cfg.KubeClient = asking
	cfg.Releases = history
	if err := r.run(cfg, settings, answered); err != nil {
		answered.Error = err.Error()
	}
	answered.Objects = append(answered.Objects, asking.objects...)
	return answered, nil
}

// history is a copy of the release's in memory, without what is pending: Helm
// refuses to go on from that, and Holdfast forgets it first.
func (r request) history(stored *storage.Storage, answered *answer) (*storage.Storage, error) {
	memory := driver.NewMemory()
	memory.SetNamespace(r.Namespace)
	copied := storage.Init(memory)
	found, err := stored.History(r.Release)
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, err
	}
	for _, each := range found {
		revision, ok := each.(*release.Release)
		if !ok {
			return nil, fmt.Errorf("a revision of release %s is of an unknown kind", r.Release)
		}
		if revision.Info.Status.IsPending() {
			answered.Pending = append(answered.Pending, revision.Version)
			continue
		}
		if revision.Info.Status == releasecommon.StatusDeployed && revision.Version > answered.Revision {
			answered.Revision = revision.Version
		}
		if err := copied.Create(revision); err != nil {
			return nil, err
		}
	}
	return copied, nil
}

// run does what `helm upgrade --install --wait=hookOnly --post-renderer holdfast`
// does (helm 4.2, pkg/cmd/upgrade.go).
func (r request) run(cfg *action.Configuration, settings *cli.EnvSettings, answered *answer) error {
	options := values.Options{ValueFiles: r.ValuesFiles, Values: r.Set}
	given, err := options.MergeValues(getter.All(settings))
	if err != nil {
		return err
	}
	chart, err := loader.Load(r.Chart)
	if err != nil {
		return err
	}
	access, err := chartaccess.NewAccessor(chart)
	if err != nil {
		return err
	}
	if needed := access.MetaDependencies(); len(needed) > 0 {
		if err := action.CheckDependencies(chart, needed); err != nil {
			return err
		}
	}
	renderer, err := postrenderer.NewPostRendererPlugin(settings, "holdfast")
	if err != nil {
		return err
	}
	last, err := cfg.Releases.Last(r.Release)
	uninstalled := false
	if revision, ok := last.(*release.Release); ok && err == nil {
		uninstalled = revision.Info.Status == releasecommon.StatusUninstalled
	}
	if errors.Is(err, driver.ErrReleaseNotFound) || uninstalled {
		answered.Action = "install"
		install := action.NewInstall(cfg)
		install.ReleaseName = r.Release
		install.Namespace = r.Namespace
		install.Replace = uninstalled
		install.Timeout = hookTimeout
		install.WaitStrategy = kube.HookOnlyStrategy
		install.PostRenderer = renderer
		install.SkipSchemaValidation = !r.SchemaValidation
		install.ServerSideApply = r.ServerSide != "false"
		_, err = install.Run(chart, given)
		return err
	}
	if err != nil {
		return err
	}
	answered.Action = "upgrade"
	upgrade := action.NewUpgrade(cfg)
	upgrade.Namespace = r.Namespace
	upgrade.Timeout = hookTimeout
	upgrade.WaitStrategy = kube.HookOnlyStrategy
	upgrade.PostRenderer = renderer
	upgrade.SkipSchemaValidation = !r.SchemaValidation
	upgrade.ServerSideApply = r.ServerSide
	_, err = upgrade.Run(r.Release, chart, given)
	return err
}

// neverWrite keeps every request from changing anything.
func neverWrite(flags *genericclioptions.ConfigFlags) {
	before := flags.WrapConfigFn
	flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		if before != nil {
			config = before(config)
		}
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return dryRun{next} })
		return config
	}
}

// dryRun makes a dry run of what writes. A deletion is not sent at all: where it
// has a body, the API server does not look at the query.
type dryRun struct{ next http.RoundTripper }

func (d dryRun) RoundTrip(asked *http.Request) (*http.Response, error) {
	switch asked.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return d.next.RoundTrip(asked)
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		changed := asked.Clone(asked.Context())
		query := changed.URL.Query()
		query.Set("dryRun", "All")
		changed.URL.RawQuery = query.Encode()
		return d.next.RoundTrip(changed)
	}
	if asked.Body != nil {
		if err := asked.Body.Close(); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		Status:     "200 OK",
		StatusCode: http.StatusOK,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(deleted)),
		Request:    asked,
	}, nil
}

// deleted is what a deletion is answered with.
const deleted = `{"kind":"Status","apiVersion":"v1","status":"Success"}`
