import { Random } from "../../../fuzz/random.ts";
import { ARTIFACTS } from "./artifacts.ts";
import {
  type AdmissionCase,
  type Json,
  type SiteNames,
  someMetadata,
  someNamespace,
  someOf,
} from "./case.ts";
import { gitUrl, imageReference } from "./odd_names.ts";

const GIT_URLS = [
  "https://github.com/zarf-dev/zarf.git",
  "https://github.com/zarf-dev/zarf",
  "ssh://git@github.com/zarf-dev/zarf.git",
  "https://repo1.dso.mil/big-bang/apps/twistlock.git@0.0.9-bb.0",
  "http://localhost:3000/some-cool-repo.git",
  "https://me@dev.azure.com/me/test/_git/test",
  "https://[2001:db8::1]:3000/a/b.git",
];
/** What Argo CD takes beside URLs of git repositories. */
const PATTERNS = ["*", "!https://github.com/a/*", "https://charts.example.com/stable", "git@a:b/c"];

/** How many of hundred URLs are odd ones. */
const ODD = 12;

function someGitUrl(random: Random, { gitAddress }: SiteNames): string {
  if (random.percent(ODD)) return gitUrl(random);
  if (random.percent(15)) return `${gitAddress}/zarf-git-user/zarf-4156197301.git`;
  return random.pick(GIT_URLS);
}

function someOciUrl(random: Random, { serviceAddress, clusterAddress }: SiteNames): string {
  if (random.percent(ODD)) return `oci://${imageReference(random)}`;
  const { repository, digest } = random.pick(ARTIFACTS);
  const [, path] = /^[^/]+\/(.*)$/.exec(repository) ?? [];
  if (random.percent(20)) return `oci://${serviceAddress}/${path}`;
  if (random.percent(12)) return `oci://${clusterAddress}/${path}`;
  if (random.percent(12)) return `oci://${repository}@${digest}`;
  return `oci://${repository}`;
}

function someRepository(random: Random, names: SiteNames): string {
  if (random.percent(5)) return random.pick(PATTERNS);
  return random.percent(50) ? someOciUrl(random, names) : someGitUrl(random, names);
}

type Make = (random: Random, names: SiteNames) => {
  readonly labels?: Json;
  readonly spec?: Json;
  readonly data?: Json;
};

interface Kind {
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly make: Make;
}

const FLUX = { group: "source.toolkit.fluxcd.io", version: "v1" };
const ARGO = { group: "argoproj.io", version: "v1alpha1" };

const base64 = (text: string) => new TextEncoder().encode(text).toBase64();

const KINDS: readonly Kind[] = [
  {
    ...{ path: "/mutate/flux-gitrepository", ...FLUX, kind: "GitRepository" },
    make: (random, names) => ({
      spec: { interval: "1m", url: someGitUrl(random, names), ...someSecretRef(random) },
    }),
  },
  {
    ...{ path: "/mutate/flux-helmrepository", ...FLUX, kind: "HelmRepository" },
    make: (random, names) => ({
      spec: {
        ...(random.percent(85) ? { type: random.pick(["oci", "oci", "OCI"]) } : {}),
        ...(random.percent(10) ? { type: "default" } : {}),
        ...(random.percent(20) ? { insecure: false } : {}),
        url: someHelmUrl(random, names),
        ...someSecretRef(random),
      },
    }),
  },
  {
    ...{ path: "/mutate/flux-ocirepository", ...FLUX, kind: "OCIRepository" },
    make: (random, names) => ({
      spec: {
        url: someOciUrl(random, names),
        ...(random.percent(90) ? { ref: someOciRef(random) } : {}),
        ...(random.percent(20) ? { insecure: false, certSecretRef: { name: "theirs" } } : {}),
        ...someSecretRef(random),
      },
    }),
  },
  {
    ...{ path: "/mutate/argocd-application", ...ARGO, kind: "Application" },
    make: (random, names) => ({
      spec: {
        project: "default",
        ...(random.percent(60) ? { source: { repoURL: someRepository(random, names) } } : {}),
        ...(random.percent(60)
          ? {
            sources: someOf(
              random,
              3,
              () => ({ path: ".", repoURL: someRepository(random, names) }),
            ),
          }
          : {}),
      },
    }),
  },
  {
    ...{ path: "/mutate/argocd-applicationset", ...ARGO, kind: "ApplicationSet" },
    make: (random, names) => ({
      spec: { generators: someOf(random, 3, () => someGenerator(random, names)), template: {} },
    }),
  },
  {
    ...{ path: "/mutate/argocd-appproject", ...ARGO, kind: "AppProject" },
    make: (random, names) => ({
      spec: random.percent(5)
        ? {}
        : { sourceRepos: someOf(random, 4, () => someRepository(random, names)) },
    }),
  },
  {
    ...{ path: "/mutate/argocd-repository", group: "", version: "v1", kind: "Secret" },
    make: (random, names) => ({
      labels: random.percent(10)
        ? {}
        : { "argocd.argoproj.io/secret-type": random.pick(["repository", "repo-creds"]) },
      data: {
        ...(random.percent(95) ? { url: base64(someRepository(random, names)) } : {}),
        ...(random.percent(50) ? { type: base64("git"), name: base64("a") } : {}),
        ...(random.percent(30) ? { username: base64("me"), password: base64("p") } : {}),
        ...(random.percent(10) ? { insecureOCIForceHttp: base64("false") } : {}),
      },
    }),
  },
];

function someHelmUrl(random: Random, names: SiteNames): string {
  if (random.percent(5)) return "https://charts.example.com/stable";
  return someOciUrl(random, names) + (random.percent(10) ? random.pick(["/", "//"]) : "");
}

function someSecretRef(random: Random): Json {
  return random.percent(25) ? { secretRef: { name: "theirs" } } : {};
}

function someOciRef(random: Random): Json {
  const { tag, digest } = random.pick(ARTIFACTS);
  return random.pick<Json>([
    { tag },
    { tag },
    { tag },
    { tag: "9.9.9" },
    { digest },
    { tag, digest },
    { semver: ">=0.1.0" },
    { tag, semver: ">=0.1.0" },
    { tag: "bad tag" },
    { digest: "sha256:bad" },
    {},
  ]);
}

function someGenerator(random: Random, names: SiteNames): Json {
  if (random.percent(15)) return { list: { elements: [] } };
  const git = { git: { repoURL: someRepository(random, names), revision: "main" } };
  if (random.percent(10)) return { matrix: { generators: [git] } };
  return random.percent(5) ? { git: { repoURL: "" } } : git;
}

/** An object of Flux or Argo CD that is made or changed. */
export function gitOpsCase(random: Random, names: SiteNames): AdmissionCase {
  const { path, make, ...kind } = random.pick(KINDS);
  const made = () => {
    const { labels, ...content } = make(random, names);
    const metadata = someMetadata(random);
    const all = { ...metadata["labels"] as Json | undefined, ...labels };
    const own = labels === undefined ? metadata : { ...metadata, labels: all };
    const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
    return { apiVersion, kind: kind.kind, metadata: own, ...content };
  };
  const isUpdate = random.percent(40);
  const namespace = someNamespace(random);
  const operation = isUpdate ? "UPDATE" : "CREATE";
  const object = made();
  // Often only the metadata was changed.
  const older = random.percent(50) ? made() : { ...object, metadata: made().metadata };
  const oldObject = isUpdate ? { oldObject: older } : {};
  return { path, request: { uid: "u", kind, operation, namespace, object, ...oldObject } };
}
