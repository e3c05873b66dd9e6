import assert from "node:assert/strict";
import { type Digest, digestOf } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { imageOf, OCI_MANIFEST, putManifest, withRegistry } from "./testing.ts";
import type { FetchedManifest, KnownTag, TagBook, Upstream } from "./types.ts";

const WEB = "library/web";
const LATER_BYTES = new TextEncoder().encode('{"schemaVersion":2,"later":true}');
const LATER: FetchedManifest = {
  mediaType: OCI_MANIFEST,
  digest: digestOf(LATER_BYTES),
  bytes: LATER_BYTES,
};

/** Everybody's answers, and what they were asked. */
class Others implements TagBook {
  /** What the book says, by host. */
  readonly known = new Map<string | undefined, KnownTag>();
  readonly asked: string[] = [];
  /** Whether the upstream has the later image. */
  hasLater = true;

  current(repository: string, tag: string, ns: string | undefined, stored: Digest | undefined) {
    this.asked.push(`${repository}:${tag} ${ns ?? "any"} ${stored === undefined ? "-" : "stored"}`);
    return Promise.resolve(this.known.get(ns));
  }

  readonly upstream: Upstream = {
    name: "cluster",
    manifest: (_repository, reference) => {
      this.asked.push(`upstream ${reference === LATER.digest ? "later" : reference}`);
      if (!this.hasLater) return Promise.reject(new Error("away"));
      return Promise.resolve(reference === LATER.digest ? LATER : undefined);
    },
    blob: () => Promise.resolve(undefined),
  };
}

const LATER_TAG: KnownTag = { ...LATER, size: LATER_BYTES.length };

/** An image in the store under `library/web:1` of docker.io; gives its digest. */
async function putWeb(store: Store): Promise<Digest> {
  const { descriptor } = await putManifest(store, { stored: true });
  const blobs = [{ digest: descriptor.digest, size: descriptor.size }];
  store.records.putImages("seed", [imageOf(descriptor, WEB, "1")], [descriptor], blobs);
  return descriptor.digest;
}

function scene(
  action: (
    scene: {
      readonly others: Others;
      readonly stored: Digest;
      readonly store: Store;
      readonly ask: (reference: string, method?: string) => Promise<Response>;
    },
  ) => Promise<void>,
): Promise<void> {
  const others = new Others();
  return withRegistry(
    async ({ store, get }) => {
      const stored = await putWeb(store);
      const ask = (reference: string, method = "GET") =>
        get(`${WEB}/manifests/${reference}`, { method });
      await action({ others, stored, store, ask });
    },
    [others.upstream],
    others,
  );
}

async function digestAndBody(response: Response): Promise<[status: number, digest: string | null]> {
  const body = new Uint8Array(await response.arrayBuffer());
  const digest = response.headers.get("docker-content-digest");
  if (body.length > 0 && response.status === 200) assert.equal(digestOf(body), digest);
  return [response.status, digest];
}

Deno.test("a tag means what the book says, for those who ask and those who fetch", () =>
  scene(async ({ others, ask }) => {
    others.known.set(undefined, LATER_TAG);
    const head = await ask("1", "HEAD");
    assert.equal(head.headers.get("content-length"), String(LATER_BYTES.length));
    assert.equal(head.headers.get("content-type"), OCI_MANIFEST);
    assert.deepEqual(await digestAndBody(head), [200, LATER.digest]);
    assert.deepEqual(others.asked, [`${WEB}:1 any stored`], "a question fetches nothing");
    assert.deepEqual(await digestAndBody(await ask("1")), [200, LATER.digest]);
    assert.deepEqual(others.asked.slice(1), [`${WEB}:1 any stored`, "upstream later"]);
  }));

Deno.test("what the book does not know, or knows as the store does, is the store's", () =>
  scene(async ({ others, stored, ask }) => {
    for (const known of [undefined, { ...LATER_TAG, digest: stored }]) {
      if (known !== undefined) others.known.set(undefined, known);
      for (const method of ["GET", "HEAD"]) {
        assert.deepEqual(await digestAndBody(await ask("1", method)), [200, stored]);
      }
    }
    assert.ok(!others.asked.some((each) => each.startsWith("upstream")));
  }));

Deno.test("a digest is the store's, and the book is not asked", () =>
  scene(async ({ others, stored, ask }) => {
    others.known.set(undefined, LATER_TAG);
    assert.deepEqual(await digestAndBody(await ask(stored)), [200, stored]);
    assert.deepEqual(others.asked, []);
  }));

Deno.test("a later image that the store has by chance comes from there", () =>
  scene(async ({ others, store, ask }) => {
    const { descriptor } = await putManifest(store, { other: true });
    others.known.set(undefined, descriptor);
    others.hasLater = false;
    assert.deepEqual(await digestAndBody(await ask("1")), [200, descriptor.digest]);
  }));

Deno.test("while nobody has the later image a question is answered, and the old one never given", () =>
  scene(async ({ others, ask }) => {
    others.known.set(undefined, LATER_TAG);
    others.hasLater = false;
    assert.deepEqual(await digestAndBody(await ask("1", "HEAD")), [200, LATER.digest]);
    const fetched = await ask("1");
    await fetched.body?.cancel();
    assert.equal(fetched.status, 503);
  }));

Deno.test("a tag that no package here brought is asked for as well", () =>
  scene(async ({ others, ask }) => {
    others.known.set(undefined, LATER_TAG);
    assert.deepEqual(await digestAndBody(await ask("2", "HEAD")), [200, LATER.digest]);
    others.known.clear();
    assert.deepEqual(await digestAndBody(await ask("2", "HEAD")), [404, null]);
    assert.deepEqual(others.asked.slice(-2), [`${WEB}:2 any -`, "upstream 2"]);
  }));

Deno.test("a mirror request is asked for under the host that the store has it from", () =>
  scene(async ({ others, stored, ask }) => {
    others.known.set("docker.io", LATER_TAG);
    const get = async (reference: string) => await digestAndBody(await ask(reference, "HEAD"));
    assert.deepEqual(await get("1?ns=registry-1.docker.io"), [200, LATER.digest]);
    assert.deepEqual(others.asked, [`${WEB}:1 docker.io stored`]);
    others.known.clear();
    assert.deepEqual(await get("1?ns=registry-1.docker.io"), [200, stored]);
  }));
