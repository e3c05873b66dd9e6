import { createHash } from "node:crypto";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
/** What makes an artifact a Helm chart (Zarf 0.84, src/internal/agent/hooks/flux-ocirepo.go). */
const CHART = "application/vnd.cncf.helm.config.v1+json";
const IMAGE = "application/vnd.oci.image.config.v1+json";

/** Something that packages hold and Flux asks for. */
export interface Artifact {
  /** With its host: `ghcr.io/holdfast-lab/charts/demo`. */
  readonly repository: string;
  readonly tag: string;
  /** Of its manifest. */
  readonly digest: string;
  /** Absent where the registry does not have it. */
  readonly manifest?: string;
}

const CONFIG = "{}";
const CONFIG_DIGEST = digestOf(CONFIG);

/** Charts, images and one that the registry does not have. */
export const ARTIFACTS: readonly Artifact[] = [
  artifact("ghcr.io/holdfast-lab/charts/demo", "0.3.0", CHART),
  artifact("ghcr.io/holdfast-lab/charts/demo", "0.4.0", CHART),
  artifact("registry.example:5000/chart", "1.0.0", CHART),
  artifact("ghcr.io/holdfast-lab/manifests/demo", "1.0.0", IMAGE),
  artifact("ghcr.io/stefanprodan/manifests/podinfo", "latest", IMAGE),
  { repository: "quay.io/not/there", tag: "1.0.0", digest: digestOf("nothing") },
];

function artifact(repository: string, tag: string, mediaType: string): Artifact {
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType, digest: CONFIG_DIGEST, size: CONFIG.length },
    layers: [],
    annotations: { name: `${repository}:${tag}` },
  });
  return { repository, tag, digest: digestOf(manifest), manifest };
}

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

/** A registry with the user that may push. */
export interface PushTarget {
  /** `http://172.29.0.11:5000` */
  readonly url: string;
  /** The value of the header `Authorization`. */
  readonly authorization: string;
}

/** Pushes an artifact under `path`, by its digest and by `tag`. */
export async function pushArtifact(
  { manifest, digest }: Artifact,
  path: string,
  tag: string,
  target: PushTarget,
): Promise<void> {
  if (manifest === undefined) return;
  const begun = await send(`${target.url}/v2/${path}/blobs/uploads/`, "POST", target);
  const upload = new URL(begun.headers.get("location") ?? "", target.url);
  upload.searchParams.set("digest", CONFIG_DIGEST);
  await send(upload.href, "PUT", target, CONFIG, "application/octet-stream");
  for (const reference of [digest, tag]) {
    await send(
      `${target.url}/v2/${path}/manifests/${reference}`,
      "PUT",
      target,
      manifest,
      MANIFEST,
    );
  }
}

async function send(
  url: string,
  method: string,
  { authorization }: PushTarget,
  body?: string,
  type?: string,
): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: { authorization, ...(type === undefined ? {} : { "content-type": type }) },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return response;
}
