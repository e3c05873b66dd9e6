import assert from "node:assert/strict";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage, writePackage } from "../../test/fixtures/make_package.ts";
import { keyPair, signed } from "../../test/fixtures/sign_package.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { ingest, IngestError } from "./ingest.ts";
import type { IngestRequest } from "./types.ts";

const never = new AbortController().signal;

interface Stage {
  readonly store: Store;
  readonly dir: string;
  take(
    bytes: Uint8Array,
    change?: Partial<IngestRequest>,
    format?: "tar",
  ): ReturnType<typeof ingest>;
}

function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`, { logger: loggerOf().logger });
    const take: Stage["take"] = async (bytes, change = {}, format) => {
      const path = `${dir}/package.${format ?? "tar.zst"}`;
      await Deno.writeFile(path, bytes);
      return await ingest(requestOf(store, path, change), () => {}, never);
    };
    await action({ store, dir, take });
  });
}

function requestOf(store: Store, path: string, change: Partial<IngestRequest> = {}): IngestRequest {
  return {
    path,
    architecture: "amd64",
    dataDir: store.dir,
    stagingId: "ingest",
    trust: [],
    ...change,
  };
}

const count = (dir: string): number =>
  [...Deno.readDirSync(dir)].reduce(
    (sum, entry) => sum + (entry.isDirectory ? count(`${dir}/${entry.name}`) : 1),
    0,
  );

/** Nothing of a package that was refused is left in the store. */
function assertUntouched(store: Store): void {
  for (const name of ["tmp", "blobs", "packages"]) assert.equal(count(`${store.dir}/${name}`), 0);
}

Deno.test("every blob and file of a package is in the store when it was read", () =>
  staged(async ({ store, take }) => {
    const contents = await take(buildPackage({ name: "web" }));
    assert.equal(contents.definition.metadata.name, "web");
    for (const { digest, size } of contents.blobs) {
      assert.equal(store.blobs.stat(digest)?.size, size);
      assert.equal(digestOf(Deno.readFileSync(store.blobs.path(digest))), digest);
    }
    const definition = Deno.readFileSync(`${store.packagePath(contents.digest)}/zarf.yaml`);
    assert.equal(digestOf(definition), contents.digest);
    assert.equal(count(`${store.dir}/tmp`), 0);
    assert.deepEqual(store.records.listPackages(), [], "the record is the caller's");
  }));

Deno.test("with keys only what one of them signed gets into the store", () =>
  staged(async ({ store, take }) => {
    const [ours, other] = [keyPair(), keyPair()];
    const trust = [other.trusted, ours.trusted];
    const stranger = buildPackage({ hooks: signed(keyPair()) });
    await assert.rejects(take(buildPackage(), { trust }), { reason: "Unsigned" });
    await assert.rejects(take(stranger, { trust }), { reason: "SignatureInvalid" });
    assertUntouched(store);
    const contents = await take(buildPackage({ hooks: signed(ours) }), { trust });
    assert.deepEqual(contents.trust, { state: "Verified", signedBy: ours.trusted.fingerprint });
    assert.equal((await take(stranger)).trust.state, "Unverified", "without keys");
  }));

Deno.test("a package may be read twice", () =>
  staged(async ({ store, take }) => {
    const bytes = buildPackage();
    const first = await take(bytes);
    const blobs = count(`${store.dir}/blobs`);
    assert.equal((await take(bytes)).digest, first.digest);
    assert.equal(count(`${store.dir}/blobs`), blobs);
  }));

Deno.test("progress is told while a large package is read, and only grows", () =>
  withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`);
    const path = `${dir}/large.tar`;
    const reference = "docker.io/library/large:1";
    await writePackage(path, {
      format: "tar",
      images: [{ reference, layers: [{ size: 20_000_000, seed: 1 }] }],
    });
    const seen: number[] = [];
    const request = requestOf(store, path);
    await ingest(request, (bytes) => void seen.push(bytes), never);
    assert(seen.length >= 3 && seen.length <= 6, `${seen.length} times`);
    assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
    assert((seen.at(-1) ?? 0) <= Deno.statSync(path).size);
  }));

const noPackage = new TextEncoder().encode("no package at all, whatever its name says");

const refusals: readonly [string, () => Uint8Array, string, "tar"?][] = [
  ["that is empty", () => new Uint8Array(), "EmptyFile"],
  ["that is an empty tar", () => new Uint8Array(), "EmptyFile", "tar"],
  ["that is no zstd", () => noPackage, "NotZstd"],
  ["with a damaged middle", () => damaged(buildPackage()), "Corrupt"],
  ["that was cut off", () => buildPackage().subarray(0, -40), "Truncated"],
  ["for another processor", () => buildPackage({ architecture: "arm64" }), "ArchitectureMismatch"],
];

function damaged(bytes: Uint8Array): Uint8Array {
  return bytes.fill(0xa5, Math.floor(bytes.length / 2), Math.floor(bytes.length / 2) + 64);
}

for (const [what, make, reason, format] of refusals) {
  Deno.test(`a file ${what} is refused for ever, and leaves nothing in the store`, () =>
    staged(async ({ store, take }) => {
      await assert.rejects(take(make(), {}, format), (error) => {
        assert(error instanceof IngestError);
        assert.equal(error.reason, reason, error.message);
        assert.equal(error.disposition, "terminal");
        return true;
      });
      assertUntouched(store);
    }));
}

Deno.test("a file that is not there any more is looked for again", () =>
  staged(async ({ store, dir }) => {
    const request = requestOf(store, `${dir}/gone.tar`);
    await assert.rejects(ingest(request, () => {}, never), (error) => {
      assert(error instanceof IngestError);
      assert.deepEqual([error.reason, error.disposition], ["FileRemoved", "retry"]);
      return true;
    });
  }));

Deno.test({
  name: "a file that cannot be read is tried again, with the system's words",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    staged(async ({ store, dir }) => {
      // It can be opened and not read: the loopback has no speed (Linux, net-sysfs).
      await Deno.symlink("/sys/class/net/lo/speed", `${dir}/unreadable.tar`);
      const request = requestOf(store, `${dir}/unreadable.tar`);
      await assert.rejects(ingest(request, () => {}, never), (error) => {
        assert(error instanceof IngestError);
        assert.deepEqual([error.reason, error.disposition], ["ReadFailed", "retry"]);
        assert.match(error.message, /the file could not be read: .*argument/i);
        return true;
      });
      assertUntouched(store);
    }),
});

Deno.test("a data directory that takes no files is named by the store", () =>
  staged(async ({ dir, take }) => {
    await Deno.writeTextFile(`${dir}/file`, "in the way");
    await assert.rejects(take(buildPackage(), { dataDir: `${dir}/file` }), (error) => {
      assert(error instanceof IngestError);
      assert.notEqual(error.disposition, "terminal");
      return true;
    });
  }));

Deno.test("a signal ends the reading, which goes on from the beginning the next time", () =>
  withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`);
    const path = `${dir}/large.tar`;
    const reference = "docker.io/library/large:1";
    const layers = [{ size: 60_000_000, seed: 2 }];
    await writePackage(path, { format: "tar", images: [{ reference, layers }] });
    const abort = new AbortController();
    const request = requestOf(store, path);
    await assert.rejects(ingest(request, () => abort.abort(), abort.signal), { reason: "Stopped" });
    await assert.rejects(ingest(request, () => {}, AbortSignal.abort()), { reason: "Stopped" });
    // A worker that went on would be done by then.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    assert.equal(count(`${store.dir}/packages`), 0);
    const contents = await ingest(request, () => {}, never);
    assert(contents.blobs.every((blob) => store.blobs.stat(blob.digest)?.size === blob.size));
  }));
