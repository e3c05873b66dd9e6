// The CRDs of Flux' source controller and of Argo CD, for tests. They are read out of the modules'
// files; nothing is built, and what the modules need is not fetched.
module holdfast.dev/crds

go 1.26

require (
	github.com/argoproj/argo-cd/v3 v3.5.7
	github.com/fluxcd/source-controller v1.9.4
)
