package preview

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/resource"
	"sigs.k8s.io/yaml"
)

const (
	hookAnnotation    = "helm.sh/hook"
	releaseAnnotation = "meta.helm.sh/release-name"
)

// object is what Helm would do with one object.
type object struct {
	// object, hook, or crd: one of the chart's crds directory
	Role       string `json:"role"`
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// As Helm sends it; not where it deletes.
	Target runtime.Object `json:"target,omitempty"`
	// As it is in the cluster.
	Before runtime.Object `json:"before,omitempty"`
	// As the API server says that it would be.
	After runtime.Object `json:"after,omitempty"`
	// Why the API server was not asked: kind or namespace is not there, or a hook
	// is deleted before it is made again.
	NotAsked string `json:"notAsked,omitempty"`
	// Why the API server refuses it.
	Refused string `json:"refused,omitempty"`
}

// recorder is Helm's own client that asks for one object after the other what
// would become of it, and goes on where Helm stops at the first failure.
type recorder struct {
	*kube.Client
	objects []object
	// Whether it is there, by name.
	namespaces map[string]bool
}

// Build leaves out objects whose kind is not there, which may come with the same
// package.
func (r *recorder) Build(reader io.Reader, validate bool) (kube.ResourceList, error) {
	whole, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	if !validate && !bytes.Contains(whole, []byte(hookAnnotation)) {
		return r.Client.Build(bytes.NewReader(whole), validate)
	}
	split := documents.NewDocumentDecoder(io.NopCloser(bytes.NewReader(whole)))
	defer split.Close()
	list := kube.ResourceList{}
	buffer := make([]byte, len(whole)+1)
	for {
		length, err := split.Read(buffer)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		document := buffer[:length]
		built, err := r.Client.Build(bytes.NewReader(document), validate)
		if err == nil {
			list = append(list, built...)
		} else if !isNoKind(err) {
			return nil, err
		} else if validate {
			r.noKind(document)
		}
	}
}

func isNoKind(err error) bool {
	return meta.IsNoMatchError(err) || strings.Contains(err.Error(), "no matches for kind")
}

func (r *recorder) noKind(document []byte) {
	var found metav1.PartialObjectMetadata
	if yaml.Unmarshal(document, &found) != nil {
		return
	}
	role := "object"
	if found.Annotations[hookAnnotation] != "" {
		role = "hook"
	}
	for _, known := range r.objects {
		// Helm reads a manifest several times.
		if known.NotAsked == "kind" && known.APIVersion == found.APIVersion &&
			known.Kind == found.Kind && known.Namespace == found.Namespace && known.Name == found.Name {
			return
		}
	}
	r.objects = append(r.objects, object{
		Role:       role,
		APIVersion: found.APIVersion,
		Kind:       found.Kind,
		Namespace:  found.Namespace,
		Name:       found.Name,
		NotAsked:   "kind",
	})
}

func (r *recorder) Create(list kube.ResourceList, options ...kube.ClientCreateOption) (*kube.Result, error) {
	options = append(options, kube.ClientCreateOptionDryRun(true))
	for _, target := range list {
		r.ask(target, func() error {
			_, err := r.Client.Create(kube.ResourceList{target}, options...)
			return err
		})
	}
	return &kube.Result{Created: list}, nil
}

func (r *recorder) Update(originals, targets kube.ResourceList, options ...kube.ClientUpdateOption) (*kube.Result, error) {
	options = append(options, kube.ClientUpdateOptionDryRun(true))
	for _, target := range targets {
		before := kube.ResourceList{}
		if original := originals.Get(target); original != nil {
			before = append(before, original)
		}
		r.ask(target, func() error {
			_, err := r.Client.Update(before, kube.ResourceList{target}, options...)
			if !conflictsWithItself(err) {
				return err
			}
			// A dry run before this one has changed whose the fields are, and nobody
			// remembers it.
			_, err = r.Client.Update(before, kube.ResourceList{target}, append(
				options,
				kube.ClientUpdateOptionServerSideApply(true, true),
				kube.ClientUpdateOptionUpgradeClientSideFieldManager(false),
			)...)
			return err
		})
	}
	result, err := r.Client.Update(originals.Difference(targets), kube.ResourceList{}, options...)
	for _, deleted := range result.Deleted {
		found := describe(deleted)
		found.Before = deleted.Object
		r.objects = append(r.objects, found)
	}
	return &kube.Result{Updated: targets, Deleted: result.Deleted}, err
}

// conflictsWithItself is whether only fields are in the way that Helm owns by an
// update of its own.
func conflictsWithItself(err error) bool {
	var failed apierrors.APIStatus
	if !errors.As(err, &failed) || failed.Status().Reason != metav1.StatusReasonConflict {
		return false
	}
	details := failed.Status().Details
	if details == nil || len(details.Causes) == 0 {
		return false
	}
	for _, cause := range details.Causes {
		if !strings.HasPrefix(cause.Message, `conflict with "`+kube.ManagedFieldsManager+`"`) {
			return false
		}
	}
	return true
}

// ask says of one object what would become of it.
func (r *recorder) ask(target *resource.Info, apply func() error) {
	found := describe(target)
	found.Target = target.Object.DeepCopyObject()
	helper := resource.NewHelper(target.Client, target.Mapping)
	if live, err := helper.Get(target.Namespace, target.Name); err == nil {
		found.Before = live
	}
	switch {
	case target.Namespaced() && !r.hasNamespace(target.Namespace):
		found.NotAsked = "namespace"
	case found.Role == "hook" && found.Before != nil:
		found.NotAsked = "hook"
	default:
		if err := apply(); err != nil {
			found.Refused = err.Error()
		} else {
			found.After = target.Object
		}
	}
	r.objects = append(r.objects, found)
}

func describe(info *resource.Info) object {
	version, kind := info.Mapping.GroupVersionKind.ToAPIVersionAndKind()
	role := "crd"
	if access, err := meta.Accessor(info.Object); err == nil {
		annotations := access.GetAnnotations()
		if annotations[hookAnnotation] != "" {
			role = "hook"
		} else if annotations[releaseAnnotation] != "" {
			role = "object"
		}
	}
	return object{
		Role:       role,
		APIVersion: version,
		Kind:       kind,
		Namespace:  info.Namespace,
		Name:       info.Name,
	}
}

func (r *recorder) hasNamespace(name string) bool {
	there, known := r.namespaces[name]
	if known {
		return there
	}
	clients, err := r.Client.Factory.KubernetesClientSet()
	if err == nil {
		_, err = clients.CoreV1().Namespaces().Get(context.Background(), name, metav1.GetOptions{})
	}
	// Whatever else is wrong is said by who is asked for the object.
	there = !apierrors.IsNotFound(err)
	r.namespaces[name] = there
	return there
}

// Delete is called for hooks only.
func (r *recorder) Delete(list kube.ResourceList, _ metav1.DeletionPropagation) (*kube.Result, []error) {
	return &kube.Result{Deleted: list}, nil
}

func (r *recorder) GetWaiter(kube.WaitStrategy) (kube.Waiter, error) { return ready{}, nil }

func (r *recorder) GetWaiterWithOptions(kube.WaitStrategy, ...kube.WaitOption) (kube.Waiter, error) {
	return ready{}, nil
}

// ready is a waiter for which everything is as it should be.
type ready struct{}

func (ready) Wait(kube.ResourceList, time.Duration) error            { return nil }
func (ready) WaitWithJobs(kube.ResourceList, time.Duration) error    { return nil }
func (ready) WaitForDelete(kube.ResourceList, time.Duration) error   { return nil }
func (ready) WatchUntilReady(kube.ResourceList, time.Duration) error { return nil }
