import { Random } from "../../../fuzz/random.ts";
import { type AdmissionCase, type Json, someMetadata, someNamespace, someOf } from "./case.ts";
import { imageReference } from "./odd_names.ts";

/** A name that is cut off before, at, or after a hyphen: 63 characters are left with `original-…-`. */
const LONG_NAMES = ["w".repeat(60), `${"w".repeat(47)}--${"w".repeat(9)}`, `${"w-".repeat(30)}w`];
const NAMES = ["web", "log", "prepare", "a", "web-2", ...LONG_NAMES, `${"w".repeat(60)}-2`];

const SHA256 = `sha256:${"0123456789abcdef".repeat(4)}`;
/** As manifests have them. */
const IMAGES = [
  ...["nginx", "nginx:1.27", `nginx@${SHA256}`, `nginx:1.27@${SHA256}`, "docker.io/nginx"],
  ...["ghcr.io/stefanprodan/podinfo:6.9.0", "quay.io/a/b", "registry.k8s.io/pause:3.10"],
  ...["localhost:5000/app:1", "10.0.0.7:5000/app", "[::1]:5000/app:1", "Registry/app:1"],
  ...["index.docker.io/bitnami/redis:7", "registry.example:8443/deep/ly/nested/app:v1-rc.1"],
];
/** As an earlier call has left them. */
const MOVED = [
  "127.0.0.1:31999/library/nginx:latest-zarf-3793515731",
  `127.0.0.1:31999/library/nginx@${SHA256}`,
];

/** A pod, or a part of it, that is made or changed. */
export function podCase(random: Random): AdmissionCase {
  const subResource = random.percent(15) ? "ephemeralcontainers" : "";
  const operation = subResource !== "" || random.percent(30) ? "UPDATE" : "CREATE";
  const object = somePod(random);
  const oldObject = operation === "UPDATE" ? { oldObject: olderPod(random, object) } : {};
  const kind = { group: "", version: "v1", kind: "Pod" };
  const namespace = someNamespace(random);
  const request = {
    uid: "u",
    kind,
    operation,
    namespace,
    subResource,
    object,
    ...oldObject,
  } as const;
  return { path: "/mutate/pod", request };
}

function somePod(random: Random): Json {
  // One that is no reference makes Zarf refuse the whole pod.
  const odd = random.percent(15) ? 40 : 0;
  const used = new Set<string>();
  const containers = (most: number) =>
    someOf(random, most, () => ({ name: newName(random, used), ...someImage(random, odd) }));
  const list = (name: string, share: number) =>
    random.percent(share) ? { [name]: containers(2) } : {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: podMetadata(random),
    spec: {
      ...list("initContainers", 40),
      containers: containers(3),
      ...list("ephemeralContainers", 40),
      ...(random.percent(30) ? { volumes: someVolumes(random, odd) } : {}),
      ...(random.percent(35) ? { imagePullSecrets: somePullSecrets(random) } : {}),
      serviceAccountName: "default",
    },
  };
}

function podMetadata(random: Random): Json {
  const metadata = someMetadata(random);
  const labels = metadata["labels"] as Json | undefined ?? {};
  const annotations = metadata["annotations"] as Json | undefined ?? {};
  if (random.percent(3)) {
    return { ...metadata, annotations: { ...annotations, "kubernetes.io/config.mirror": "x" } };
  }
  if (random.percent(3)) {
    return { ...metadata, labels: { ...labels, "svccontroller.k3s.cattle.io/svcname": "x" } };
  }
  return metadata;
}

function someImage(random: Random, odd: number): Json {
  if (random.percent(odd)) {
    return random.percent(20) ? {} : { image: random.percent(10) ? "" : imageReference(random) };
  }
  return { image: random.pick(random.percent(15) ? MOVED : IMAGES) };
}

function someVolumes(random: Random, odd: number): Json[] {
  const used = new Set<string>();
  return someOf(random, 3, () => {
    const name = newName(random, used);
    if (random.percent(30)) return { name, emptyDir: {} };
    const { image: reference } = someImage(random, odd);
    return { name, image: reference === undefined ? {} : { reference, pullPolicy: "Always" } };
  });
}

function somePullSecrets(random: Random): Json[] {
  const ours = { name: "private-registry" };
  return random.pick([[], [ours], [{ name: "theirs" }], [ours, { name: "theirs" }], [{}]]);
}

function newName(random: Random, used: Set<string>): string {
  const name = random.pick(NAMES.filter((one) => !used.has(one)));
  used.add(name);
  return name;
}

/** The pod before an update: some of its images were others, some containers were not there. */
function olderPod(random: Random, pod: Json): Json {
  const spec = pod["spec"] as Json;
  const older = (list: unknown) =>
    (list as Json[]).filter(() => !random.percent(15)).map((one) =>
      random.percent(50) ? one : { ...one, ...someImage(random, 0) }
    );
  const lists = ["initContainers", "containers", "ephemeralContainers"]
    .filter((name) => spec[name] !== undefined)
    .map((name) => [name, older(spec[name])]);
  return {
    ...pod,
    metadata: random.percent(60) ? pod["metadata"] : podMetadata(random),
    spec: { ...spec, ...Object.fromEntries(lists) },
  };
}
