module holdfast.dev/test/transform

go 1.26.6

require github.com/zarf-dev/zarf v0.84.0

require (
	github.com/defenseunicorns/pkg/helpers/v2 v2.0.4 // indirect
	github.com/distribution/reference v0.6.0 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/otiai10/copy v1.14.1 // indirect
	github.com/otiai10/mint v1.6.3 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	oras.land/oras-go/v2 v2.6.2 // indirect
)
