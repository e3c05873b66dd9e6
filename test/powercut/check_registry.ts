import { digestOf, isDigest } from "../../src/std/mod.ts";
import { ask, disagreement } from "./check_served.ts";
import { filesBelow } from "./check_store.ts";
import { type Finding, findings } from "./findings.ts";
import type { GoodPackage } from "./packages.ts";

/** Where distribution v3 has them below its storage's root (registry/storage/paths.go). */
const ROOT = "docker/registry/v2";
const ENTRY = /^(.+)\/_layers\/sha256\/([0-9a-f]{64})\/link$/;
const DATA = /^sha256\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\/data$/;

/**
 * Looks at the in-cluster registry's storage as it lies on the disk.
 *
 * @param linked packages of which somebody was told that all of their images are linked.
 */
export function checkRegistry(directory: string, linked: Iterable<GoodPackage>): Finding[] {
  const entries = readEntries(directory);
  const data = readData(directory);
  const torn = entries.filter(({ name, text }) => text !== `sha256:${name}`);
  const dangling = entries.filter(({ name }) => data.get(name) === undefined);
  const there = new Set(entries.map(({ repository, name }) => `${repository}@sha256:${name}`));
  const lost = blobsOf(linked).filter((blob) => !there.has(blob));
  return [
    ...findings("EntryTorn", torn.map(({ path, text }) => `${path}: ${JSON.stringify(text)}`)),
    ...findings("DataLost", dangling.map(({ path }) => path)),
    ...findings("BlobDamaged", [...data].filter(([, right]) => !right).map(([name]) => name)),
    ...findings("LinkLost", lost),
  ];
}

/**
 * Asks a registry that runs over the storage for every blob in every repository that could be there.
 */
export async function checkRegistryAnswers(
  url: string,
  directory: string,
  packages: Iterable<GoodPackage>,
): Promise<Finding[]> {
  const there = new Set(
    readEntries(directory).map(({ repository, name }) => `${repository}@sha256:${name}`),
  );
  const wrong: string[] = [];
  for (const blob of blobsOf(packages)) {
    const [repository, digest = ""] = blob.split("@");
    if (!isDigest(digest)) continue;
    const path = `${repository}/blobs/${digest}`;
    const answer = await ask(url, path);
    if (answer.status === 404 && !there.has(blob)) continue;
    wrong.push(...[disagreement(path, answer, digest) ?? []].flat());
  }
  return findings("RegistryFails", wrong);
}

/** The configs and layers of all images, each with its repository: `library/nginx@sha256:…`. */
function blobsOf(packages: Iterable<GoodPackage>): string[] {
  const images = [...packages].flatMap((one) => one.images);
  return [
    ...new Set(images.flatMap((image) => image.blobs.map((blob) => `${image.repository}@${blob}`))),
  ];
}

interface Entry {
  readonly path: string;
  readonly repository: string;
  /** Hexadecimal digits. */
  readonly name: string;
  readonly text: string;
}

function readEntries(directory: string): Entry[] {
  return filesBelow(`${directory}/${ROOT}/repositories`).flatMap(([path, absolute]) => {
    const [, repository = "", name = ""] = ENTRY.exec(path) ?? [];
    if (name === "") return [];
    return [{ path, repository, name, text: Deno.readTextFileSync(absolute) }];
  });
}

/** By the digits of its digest, whether each blob has the bytes of its name. */
function readData(directory: string): Map<string, boolean> {
  const data = new Map<string, boolean>();
  for (const [path, absolute] of filesBelow(`${directory}/${ROOT}/blobs`)) {
    const name = DATA.exec(path)?.[2];
    if (name === undefined) continue;
    data.set(name, digestOf(Deno.readFileSync(absolute)) === `sha256:${name}`);
  }
  return data;
}
