// Builds Talos' own machined from Go modules. `go install …@v1.13.0` is refused, as the module has
// replace directives; they are repeated here, all but one: Sidero's fork of containerd differs in
// what the linker can leave out, and upstream's v2.2.2, which Talos requires by name, takes its place.
module holdfast.dev/test/talos

go 1.26.6

require (
	github.com/siderolabs/talos v1.13.0
	github.com/siderolabs/talos/pkg/machinery v1.13.0
)

replace (
	github.com/coredns/coredns => github.com/siderolabs/coredns v1.14.53
	github.com/mdlayher/ethtool => github.com/siderolabs/ethtool v0.4.0-sidero
	github.com/mdlayher/kobject => github.com/smira/kobject v0.0.0-20240304111826-49c8d4613389
	golang.zx2c4.com/wireguard/wgctrl => github.com/siderolabs/wgctrl-go v0.0.0-20251029173431-c4fd5f6a4e72
)
