import { type Digest, digestOf } from "../../src/std/mod.ts";
import { type Finding, findings } from "./findings.ts";
import type { GoodPackage, PackedImage } from "./packages.ts";

/** How long a registry may take over one answer, in milliseconds. */
const ANSWER_TIMEOUT = 30_000;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** What a registry said. */
export interface Answer {
  readonly status: number;
  /** Of the body. */
  readonly digest: Digest;
  /** How many it has. */
  readonly bytes: number;
}

/** Pulls every image of the packages from the registry at `url`, and hashes what comes. */
export async function checkServed(
  url: string,
  packages: Iterable<GoodPackage>,
): Promise<Finding[]> {
  const wrong: string[] = [];
  for (const { images } of packages) {
    for (const image of images) wrong.push(...await pull(url, image));
  }
  return findings("NotServed", wrong);
}

/** GETs from a registry: `library/nginx/blobs/sha256:…`. What breaks off counts as status 0. */
export async function ask(url: string, path: string): Promise<Answer> {
  try {
    const response = await fetch(`${url}/v2/${path}`, {
      headers: { accept: MANIFEST },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT),
    });
    const body = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, digest: digestOf(body), bytes: body.length };
  } catch {
    return { status: 0, digest: digestOf(""), bytes: 0 };
  }
}

async function pull(url: string, image: PackedImage): Promise<string[]> {
  const { repository, tag, digest, blobs } = image;
  const wanted = [
    [`${repository}/manifests/${tag}`, digest] as const,
    ...blobs.map((blob) => [`${repository}/blobs/${blob}`, blob] as const),
  ];
  const wrong: string[] = [];
  for (const [path, digest] of wanted) {
    const answer = await ask(url, path);
    wrong.push(...[disagreement(path, answer, digest) ?? []].flat());
  }
  return wrong;
}

/** In what an answer is not 200 with the bytes of `digest`. */
export function disagreement(path: string, answer: Answer, digest: Digest): string | undefined {
  if (answer.status === 200 && answer.digest === digest) return undefined;
  return `${path}: ${answer.status}, ${answer.bytes} bytes with ${answer.digest}`;
}
