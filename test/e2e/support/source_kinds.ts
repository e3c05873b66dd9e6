/**
 * Objects of Flux and Argo CD, and what Zarf's agent makes of them where the registry is Zarf's own and
 * there is a git server (Zarf 0.84, src/internal/agent/hooks).
 *
 * @module
 */

/** The git server that tests tell the cluster of; nothing listens there. */
export const GIT_SERVER = {
  address: "http://zarf-gitea-http.zarf.svc.cluster.local:3000",
  pushUsername: "zarf-git-user",
  pushPassword: "push-password",
  pullUsername: "zarf-git-read-user",
  pullPassword: "pull-password",
} as const;

/** A Helm chart that a package brings as an artifact of a registry. */
export const CHART = "ghcr.io/stefanprodan/charts/podinfo";

const REGISTRY = "oci://zarf-docker-registry.zarf.svc.cluster.local:5000";
const GIT = "https://github.com/zarf-dev/zarf.git";
/** The checksum is Zarf's own example (src/pkg/transform/git_test.go). */
const MOVED_GIT = `${GIT_SERVER.address}/${GIT_SERVER.pushUsername}/zarf-4156197301.git`;
const CHARTS = "oci://ghcr.io/stefanprodan/charts";
const MOVED_CHARTS = `${REGISTRY}/stefanprodan/charts`;
const MANIFESTS = "oci://ghcr.io/stefanprodan/manifests/podinfo";
const MOVED_MANIFESTS = `${REGISTRY}/stefanprodan/manifests/podinfo`;
/** CRC-32 of `ghcr.io/stefanprodan/manifests/podinfo`. */
const MANIFESTS_CRC = "2823281104";
const DIGEST = `sha256:${"ab".repeat(32)}`;

const FLUX = "source.toolkit.fluxcd.io/v1";
const ARGO = "argoproj.io/v1alpha1";
const REGISTRY_ACCESS = { insecure: true, secretRef: { name: "private-registry" } };

/** An object's content but its name. */
export interface SourceObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

/** An object, and what it comes to. */
export interface SourceCase {
  readonly name: string;
  readonly object: SourceObject;
  /** Members of `spec` or `data` as they are stored in place of the written ones; none: untouched. */
  readonly stored?: Readonly<Record<string, unknown>>;
  /** Whether it takes a git server to change it. */
  readonly needsGit?: true;
}

function flux(kind: string, spec: Readonly<Record<string, unknown>>): SourceObject {
  return { apiVersion: FLUX, kind, spec: { interval: "5m", ...spec } };
}

function application(sources: Readonly<Record<string, unknown>>): SourceObject {
  const destination = { namespace: "default", server: "https://kubernetes.default.svc" };
  return { apiVersion: ARGO, kind: "Application", spec: { project: "p", destination, ...sources } };
}

function repository(type: string, data: Readonly<Record<string, string>>): SourceObject {
  const labels = { "argocd.argoproj.io/secret-type": type };
  return { apiVersion: "v1", kind: "Secret", labels, data: encoded(data) };
}

function encoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, btoa(value)]));
}

function oci(ref?: Readonly<Record<string, string>>, url = MANIFESTS): SourceObject {
  return flux("OCIRepository", { url, ...(ref === undefined ? {} : { ref }) });
}

function ociStored(ref?: Readonly<Record<string, string>>, url = MOVED_MANIFESTS) {
  return { url, ...REGISTRY_ACCESS, ...(ref === undefined ? {} : { ref }) };
}

/** Every kind but pods, once with each of its forms. */
export const SOURCE_CASES: readonly SourceCase[] = [
  {
    name: "git-repository",
    object: flux("GitRepository", { url: GIT, ref: { tag: "v1" } }),
    stored: { url: MOVED_GIT, secretRef: { name: "private-git-server" } },
    needsGit: true,
  },
  {
    name: "git-repository-with-secret",
    object: flux("GitRepository", { url: GIT, secretRef: { name: "mine" } }),
    stored: { url: MOVED_GIT, secretRef: { name: "private-git-server" } },
    needsGit: true,
  },
  {
    name: "helm-repository-oci",
    object: flux("HelmRepository", { type: "oci", url: CHARTS }),
    stored: { url: MOVED_CHARTS, ...REGISTRY_ACCESS },
  },
  {
    name: "helm-repository-http",
    object: flux("HelmRepository", { url: "https://stefanprodan.github.io/podinfo" }),
  },
  {
    name: "oci-repository-tag",
    object: oci({ tag: "6.7.1" }),
    stored: ociStored({ tag: `6.7.1-zarf-${MANIFESTS_CRC}` }),
  },
  {
    name: "oci-repository-chart",
    object: oci({ tag: "6.7.1" }, `oci://${CHART}`),
    stored: ociStored({ tag: "6.7.1" }, `${MOVED_CHARTS}/podinfo`),
  },
  {
    name: "oci-repository-digest",
    object: oci({ digest: DIGEST }),
    stored: ociStored({ digest: DIGEST }),
  },
  {
    name: "oci-repository-semver",
    object: oci({ semver: ">=6.0.0" }),
    stored: ociStored({ semver: ">=6.0.0" }),
  },
  {
    // Zarf's patch of a missing `ref` cannot be applied; the tag is the one that it means.
    name: "oci-repository-bare",
    object: oci(),
    stored: ociStored({ tag: `latest-zarf-${MANIFESTS_CRC}` }),
  },
  {
    name: "application",
    object: application({ source: { repoURL: GIT, path: "." } }),
    stored: { source: { repoURL: MOVED_GIT, path: "." } },
    needsGit: true,
  },
  {
    name: "application-sources",
    object: application({
      sources: [{ repoURL: GIT, path: "." }, { repoURL: CHARTS, path: "podinfo" }],
    }),
    stored: {
      sources: [{ repoURL: MOVED_GIT, path: "." }, { repoURL: MOVED_CHARTS, path: "podinfo" }],
    },
    needsGit: true,
  },
  {
    name: "application-set",
    object: {
      apiVersion: ARGO,
      kind: "ApplicationSet",
      spec: {
        generators: [{ git: { repoURL: GIT, revision: "HEAD", directories: [{ path: "*" }] } }],
        template: {
          metadata: { name: "x" },
          spec: { project: "p", destination: {}, source: { repoURL: GIT } },
        },
      },
    },
    stored: {
      generators: [{ git: { repoURL: MOVED_GIT, revision: "HEAD", directories: [{ path: "*" }] } }],
    },
    needsGit: true,
  },
  {
    name: "app-project",
    object: {
      apiVersion: ARGO,
      kind: "AppProject",
      spec: { sourceRepos: ["*", GIT, CHARTS] },
    },
    stored: { sourceRepos: ["*", MOVED_GIT, MOVED_CHARTS] },
    needsGit: true,
  },
  {
    name: "repository-git",
    object: repository("repository", { type: "git", url: GIT, username: "me", password: "mine" }),
    stored: encoded({
      url: MOVED_GIT,
      username: GIT_SERVER.pullUsername,
      password: GIT_SERVER.pullPassword,
    }),
    needsGit: true,
  },
  {
    name: "repository-credentials",
    object: repository("repo-creds", { url: GIT }),
    stored: encoded({
      url: MOVED_GIT,
      username: GIT_SERVER.pullUsername,
      password: GIT_SERVER.pullPassword,
    }),
    needsGit: true,
  },
];

/** The Secret of a repository in a registry: what is stored depends on the cluster's own password. */
export function registryRepository(username: string, password: string): SourceCase {
  return {
    name: "repository-oci",
    object: repository("repository", { type: "oci", url: CHARTS }),
    stored: encoded({ url: MOVED_CHARTS, username, password, insecureOCIForceHttp: "true" }),
  };
}
