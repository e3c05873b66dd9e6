/**
 * Every Go program that the extension or the tests use, and what has them built.
 *
 * @module
 */
import type { ToolSpec } from "./go_build.ts";

export {
  ensureTool,
  type GoAnswer,
  runGo,
  ToolError,
  type ToolPlaces,
  type ToolReason,
  type ToolSpec,
} from "./go_build.ts";
export { cacheDir, hashTree, REPOSITORY_ROOT } from "./places.ts";

const KUBE_VERSION = "k8s.io/component-base/version";

/** How each of them is built. */
export const TOOLS = {
  kube: {
    name: "kube",
    module: "test/cluster/tools/kube",
    package: ".",
    variables: {
      [`${KUBE_VERSION}.gitVersion`]: "v1.36.3",
      [`${KUBE_VERSION}.gitMajor`]: "1",
      [`${KUBE_VERSION}.gitMinor`]: "36",
    },
    cpuMinutes: 21,
  },
  etcd: { name: "etcd", module: "test/cluster/tools/etcd", package: ".", cpuMinutes: 2 },
  /** Writes logs as etcd does, cut off at a place of one's choice. */
  etcdWal: { name: "etcdwal", module: "test/cluster/tools/etcd", package: "./wal", cpuMinutes: 1 },
  containerd: containerdTool("containerd", 4),
  shim: containerdTool("containerd-shim-runc-v2", 1),
  ctr: containerdTool("ctr", 1),
  node: { name: "node", module: "test/cluster/tools/node", package: ".", cpuMinutes: 1 },
  /** Stands before runc in a Talos node of tests. */
  runcShim: {
    name: "runcshim",
    module: "test/cluster/tools/node",
    package: "./runcshim",
    cpuMinutes: 1,
  },
  /** `helm` and, called by that name, `kubectl`. */
  helm: {
    name: "helm",
    module: "extension/tools/helm",
    package: ".",
    // What `kubectl version --client` says: the version of its module in go.mod.
    variables: {
      [`${KUBE_VERSION}.gitVersion`]: "v1.36.1",
      [`${KUBE_VERSION}.gitMajor`]: "1",
      [`${KUBE_VERSION}.gitMinor`]: "36",
    },
    cpuMinutes: 6,
  },
  registry: {
    name: "registry",
    module: "extension/tools/registry",
    package: "github.com/distribution/distribution/v3/cmd/registry",
    cpuMinutes: 5,
  },
  conformance: {
    name: "conformance",
    module: "test/cluster/tools/conformance",
    package: "github.com/opencontainers/distribution-spec/conformance",
    cpuMinutes: 1,
  },
  zarf: {
    name: "zarf",
    module: "test/cluster/tools/zarf",
    package: "github.com/zarf-dev/zarf",
    variables: { "github.com/zarf-dev/zarf/src/config.CLIVersion": "v0.84.0" },
    cpuMinutes: 20,
  },
  /** Requests at once, as the API server would send them. */
  load: { name: "load", module: "test/cluster/tools/load", package: ".", cpuMinutes: 1 },
  /** Serves seed images as Zarf's own injector does, for the real `zarf init`. */
  injector: {
    name: "injector",
    module: "test/cluster/tools/injector",
    package: ".",
    cpuMinutes: 1,
  },
  /** Clones with go-git, as Flux does. */
  gogit: { name: "gogit", module: "test/cluster/tools/gogit", package: ".", cpuMinutes: 1 },
  /** How objects stand by the rules that Zarf waits by, asked line by line. */
  kstatus: { name: "kstatus", module: "test/cluster/tools/kstatus", package: ".", cpuMinutes: 1 },
  /** The example's server, of the version of the package in test/fixtures. */
  hello: {
    name: "hello",
    module: "examples/hello/app",
    package: ".",
    variables: { "main.version": "0.1.0" },
    cpuMinutes: 1,
  },
  /** What Talos makes of patches to its machine configuration, asked line by line. */
  talosConfig: {
    name: "talosconfig",
    module: "test/cluster/tools/talosconfig",
    package: ".",
    cpuMinutes: 1,
  },
  /** Zarf's own names for images and git repositories, asked line by line. */
  transform: {
    name: "transform",
    module: "test/cluster/tools/transform",
    package: ".",
    cpuMinutes: 1,
  },
  /** Talos' API definitions, for a generator. */
  talosDescriptors: talosApiTool("descriptors"),
  /** Talos' API on a socket, with its roles, without a Talos below it. */
  talosApi: talosApiTool("server"),
  /** What Talos says of an extension image, and what it forgets to say. */
  talosValidate: {
    name: "talos-validate",
    module: "test/cluster/tools/talosvalidate",
    package: ".",
    cpuMinutes: 1,
  },
  /** Talos' list of the images that it takes by default. */
  talosImages: {
    name: "talosimages",
    module: "test/cluster/tools/talosimages",
    package: ".",
    cpuMinutes: 1,
  },
  /** The first process of a Talos node, with the tags that Talos builds it with. */
  machined: {
    name: "machined",
    module: "test/cluster/tools/talos",
    package: "github.com/siderolabs/talos/internal/app/machined",
    tags: "tcell_minimal,grpcnotrace",
    cpuMinutes: 20,
  },
  /** What makes Talos' boot media; it is Talos' installer, called by this name. */
  imager: {
    name: "imager",
    module: "test/cluster/tools/talos",
    package: "github.com/siderolabs/talos/cmd/installer",
    tags: "grpcnotrace",
    cpuMinutes: 1,
  },
} as const satisfies Record<string, ToolSpec>;

function containerdTool(name: string, cpuMinutes: number): ToolSpec {
  const module = "test/cluster/tools/containerd";
  return { name, module, package: `github.com/containerd/containerd/v2/cmd/${name}`, cpuMinutes };
}

function talosApiTool(name: string): ToolSpec {
  const module = "test/cluster/tools/talosapi";
  return { name: `talos-${name}`, module, package: `./${name}`, cpuMinutes: 1 };
}
