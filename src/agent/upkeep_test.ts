import assert from "node:assert/strict";
import { FullDisk } from "../../test/fakes/full_disk.ts";
import { eventually, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import type { Upstream } from "../registry/mod.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { type NewPackage, Store } from "../store/mod.ts";
import { Part } from "./listeners.ts";
import { THAW_INTERVAL, Upkeep, UPKEEP_INTERVAL } from "./upkeep.ts";

const never = new AbortController().signal;
const bytesOf = (text: string) => new TextEncoder().encode(text);
const reference = (text: string) => ({ digest: digestOf(text), size: text.length });

/** A package with two images that share a layer. */
const added: NewPackage = {
  digest: digestOf("package"),
  name: "web",
  version: "1",
  architecture: "amd64",
  kind: "ZarfPackageConfig",
  signature: "Unsigned",
  acceptedAt: "2026-01-02T03:04:05Z",
  fileName: "web.tar.zst",
  bytes: 1,
  images: ["library/web", "library/db"].map((repository) => ({
    reference: `docker.io/${repository}:1`,
    host: "docker.io",
    repository,
    tag: "1",
    descriptor: {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      ...reference("manifest"),
    },
  })),
  manifests: [{
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    ...reference("manifest"),
  }],
  blobs: ["manifest", "layer", "config"].map(reference),
};

/** A registry that has these texts, by `<repository> <text>`, and remembers what it was asked. */
class Registry implements Upstream {
  readonly asked: string[] = [];
  constructor(
    readonly name: string,
    readonly has: readonly string[],
    /** What it sends in place of a text. */
    readonly sends: (text: string) => string = (text) => text,
  ) {}

  manifest(repository: string, digest: string) {
    const text = this.#find("manifest", repository, digest);
    return Promise.resolve(
      text === undefined ? undefined : {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: digest as Digest,
        bytes: bytesOf(this.sends(text)),
      },
    );
  }

  blob(repository: string, digest: Digest) {
    const text = this.#find("blob", repository, digest);
    return Promise.resolve(
      text === undefined ? undefined : {
        size: text.length,
        body: new Blob([this.sends(text)]).stream(),
      },
    );
  }

  #find(kind: string, repository: string, digest: string): string | undefined {
    const texts = added.blobs.map(({ digest }) => digest);
    this.asked.push(`${kind} ${repository} ${texts.indexOf(digest as Digest)}`);
    return ["manifest", "layer", "config"].find((text) =>
      digestOf(text) === digest && this.has.includes(`${repository} ${text}`)
    );
  }
}

interface Stage {
  readonly store: Store;
  readonly lines: string[];
  readonly part: Part;
  upkeep(...upstreams: Upstream[]): Upkeep;
  readonly repaired: Digest[];
  have(): string[];
}

function withStage(missing: readonly string[], action: (stage: Stage) => Promise<void>) {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    for (const text of ["manifest", "layer", "config"]) {
      if (missing.includes(text)) continue;
      await store.blobs.write(digestOf(text), text.length, new Blob([text]).stream());
    }
    store.records.putPackage(added);
    Deno.mkdirSync(store.packagePath(added.digest));
    const { logger, lines } = loggerOf();
    const repaired: Digest[] = [];
    const part = new Part("store", "not looked at", true);
    await action({
      part,
      store,
      lines,
      repaired,
      have: () =>
        ["manifest", "layer", "config"].filter((text) => store.blobs.verify(digestOf(text))),
      upkeep: (...upstreams) =>
        new Upkeep({
          store,
          upstreams,
          logger,
          part,
          onRepaired: (digest) => void repaired.push(digest),
        }),
    });
  });
}

Deno.test("a store in order is left alone, and nobody is asked", () =>
  withStage([], async ({ store, upkeep, lines }) => {
    const registry = new Registry("cluster", []);
    await upkeep(registry).round(never);
    assert.deepEqual([registry.asked, lines], [[], []]);
    assert.equal(store.damage.blobs.length, 0);
  }));

Deno.test("what is missing is fetched by the repositories of its images, a manifest as a manifest", () =>
  withStage(["manifest", "layer"], async ({ store, upkeep, repaired, have }) => {
    const registry = new Registry("cluster", ["library/db manifest", "library/web layer"]);
    const keeper = upkeep(registry);
    await keeper.round(never);
    assert.deepEqual(have(), ["manifest", "layer", "config"]);
    assert(registry.asked.includes("manifest library/db 0"));
    assert(registry.asked.includes("blob library/web 1"));
    assert(!registry.asked.some((line) => line.startsWith("blob") && line.endsWith("0")));
    assert.deepEqual(new Set(repaired), new Set([digestOf("manifest"), digestOf("layer")]));
    assert.deepEqual(keeper.repaired, { cluster: 2 });
    assert.equal(store.damage.packages.size, 0);
  }));

Deno.test("a registry that fails, lacks it or sends other bytes is passed over", () =>
  withStage(["layer"], async ({ upkeep, have, lines }) => {
    const failing: Upstream = {
      name: "failing",
      manifest: () => Promise.reject(new Error("no")),
      blob: () => Promise.reject(new Error("the peer has gone")),
    };
    const lying = new Registry("lying", ["library/web layer"], () => "other");
    const good = new Registry("peer", ["library/web layer"]);
    const keeper = upkeep(failing, lying, new Registry("empty", []), good);
    await keeper.round(never);
    assert.deepEqual(have(), ["manifest", "layer", "config"]);
    assert.deepEqual(keeper.repaired, { peer: 1 });
    assert(lines.some((line) => line.includes("the peer has gone")));
  }));

Deno.test("what nobody has stays missing, and its package is named for whoever has the file", () =>
  withStage(["config"], async ({ store, upkeep, have, part }) => {
    await upkeep(new Registry("cluster", [])).round(never);
    assert.deepEqual(have(), ["manifest", "layer"]);
    assert.deepEqual(store.damage.packages, new Set([added.digest]));
    assert.deepEqual([part.ok, part.message], [
      false,
      "1 blobs are missing; drop the package again: web 1",
    ]);
    await upkeep(new Registry("cluster", ["library/db config"])).round(never);
    assert.deepEqual(store.damage.packages, new Set());
    assert.deepEqual([part.ok, part.message], [true, "in order"]);
  }));

Deno.test("a blob that rots is found, moved aside and fetched again, without anybody there", () =>
  withDirectory(async (dir) => {
    const clock = new TestClock();
    using store = Store.open(dir, { clock });
    for (const text of ["manifest", "layer", "config"]) {
      await store.blobs.write(digestOf(text), text.length, new Blob([text]).stream());
    }
    store.records.putPackage(added);
    Deno.mkdirSync(store.packagePath(added.digest));
    const path = store.blobs.path(digestOf("layer"));
    Deno.chmodSync(path, 0o644);
    Deno.writeTextFileSync(path, "lAyer");
    const stop = new AbortController();
    const keeper = new Upkeep({
      store,
      upstreams: [new Registry("cluster", ["library/web layer"])],
      logger: loggerOf().logger,
      onRepaired: () => stop.abort(),
      clock,
    });
    await keeper.run(stop.signal);
    assert.equal(store.blobs.verify(digestOf("layer")), true);
    assert.equal(store.blobs.quarantined, 1);
    assert.deepEqual(keeper.repaired, { cluster: 1 });
  }));

Deno.test("rounds go on after one that failed, and the failure is said once", () =>
  withStage([], async ({ store, lines }) => {
    const stop = new AbortController();
    const clock = new TestClock();
    const { logger, lines: said } = loggerOf("error");
    const keeper = new Upkeep({ store, upstreams: [], logger, clock });
    let rounds = 0;
    keeper.round = () => {
      if (++rounds === 4) stop.abort();
      return Promise.reject(new Error("the disk is ill"));
    };
    await keeper.run(stop.signal);
    assert.equal(rounds, 4);
    assert.equal(said.length, 1);
    assert(clock.slept.filter((ms) => ms === UPKEEP_INTERVAL).length >= 3);
    assert.deepEqual(lines, []);
  }));

Deno.test("the registry's storage gets the good copy of a blob that went bad under both names", () =>
  withStage([], async ({ store, upkeep, lines }) => {
    const hex = digestOf("layer").slice(7);
    const directory = `${store.dir}/registry/docker/registry/v2/blobs/sha256/${
      hex.slice(0, 2)
    }/${hex}`;
    Deno.mkdirSync(directory, { recursive: true });
    Deno.linkSync(store.blobs.path(digestOf("layer")), `${directory}/data`);
    const path = store.blobs.path(digestOf("layer"));
    Deno.chmodSync(path, 0o644);
    Deno.writeTextFileSync(path, "lAyer");
    store.blobs.quarantine(digestOf("layer"));
    await upkeep().round(never);
    assert.equal(Deno.readTextFileSync(`${directory}/data`), "lAyer", "nobody has a good one");
    await upkeep(new Registry("peer", ["library/web layer"])).round(never);
    assert.equal(Deno.readTextFileSync(`${directory}/data`), "layer");
    const inodes = [`${directory}/data`, path].map((one) => Deno.statSync(one).ino);
    assert.equal(inodes[0], inodes[1]);
    const replaced = () => lines.filter((line) => line.includes("was replaced")).length;
    assert.equal(replaced(), 1);
    await upkeep().round(never);
    assert.equal(replaced(), 1);
  }));

Deno.test("a store on a disk that is full waits for room, says so, and is then kept in order", () =>
  withDirectory(async (dir) => {
    Deno.mkdirSync(`${dir}/data`);
    const disk = new FullDisk();
    using store = Store.open(`${dir}/data`, disk.options);
    const { logger } = loggerOf();
    const [part, clock, abort] = [
      new Part("store", "in order", true),
      new TestClock(),
      new AbortController(),
    ];
    let thawed = 0;
    const upkeep = new Upkeep({
      ...{ store, logger, part, clock },
      upstreams: [],
      onThawed: () => {
        thawed++;
        store.records.setValue("a", 1);
      },
    });
    const running = upkeep.run(abort.signal);
    await eventually(() => clock.slept.length > 2);
    assert.deepEqual(new Set(clock.slept), new Set([THAW_INTERVAL]));
    assert.equal(part.ok, false);
    assert.match(
      part.message,
      /^the data disk was full when the agent started: .*goes on by itself/,
    );
    assert.equal(thawed, 0);
    disk.free();
    await eventually(() => part.ok && clock.slept.includes(UPKEEP_INTERVAL));
    assert.deepEqual([part.message, thawed], ["in order", 1]);
    abort.abort();
    await running;
  }));

Deno.test("a store that stays frozen is waited for until the end, and trouble of another kind is thrown", () =>
  withDirectory(async (dir) => {
    Deno.mkdirSync(`${dir}/data`);
    const disk = new FullDisk();
    using store = Store.open(`${dir}/data`, disk.options);
    const { logger } = loggerOf();
    const [clock, abort] = [new TestClock(), new AbortController()];
    const upkeep = new Upkeep({ store, logger, clock, upstreams: [] });
    const running = upkeep.run(abort.signal);
    await eventually(() => clock.slept.length > 2);
    abort.abort();
    await running;
    assert.notEqual(store.frozen, undefined);
    disk.free();
    Deno.writeTextFileSync(
      `${dir}/data/holdfast.db`,
      "no database, and longer than its header".repeat(9),
    );
    await assert.rejects(upkeep.run(never), { reason: "DatabaseCorrupt" });
  }));
