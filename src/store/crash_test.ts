import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { digestHex, digestOf } from "../std/mod.ts";
import { STORE_FAILPOINTS, UPKEEP_FAILPOINTS } from "./failpoints.ts";
import { Store } from "./store.ts";
import { packageWith, treeOf, withDirectory } from "./testing.ts";

const CHILD = fileURLToPath(import.meta.resolve("./crash_test_child.ts"));
/** How often each failpoint is passed while the package goes in; a kill at each of them. */
const PASSES: Readonly<Record<typeof STORE_FAILPOINTS[number], number>> = {
  "store.staging.created": 1,
  "store.blob.written": 3,
  "store.blob.synced": 3,
  "store.blob.renamed": 3,
  "store.blob.directory.synced": 3,
  "store.package.written": 2,
  "store.package.synced": 2,
  "store.package.renamed": 1,
  "store.package.directory.synced": 1,
  "store.staging.removed": 1,
  // Taking the clean mark away, the package, setting the mark.
  "store.record.committing": 3,
  "store.record.committed": 3,
};

async function run(
  task: "ingest" | "fetch" | "upgrade",
  dir: string,
  failpoint?: string,
): Promise<Deno.CommandStatus> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, dir, task],
    env: failpoint === undefined ? {} : { HOLDFAST_FAILPOINT: failpoint },
    stdout: "null",
    stderr: "inherit",
  });
  return await command.spawn().status;
}

/** Everything that counts: blobs, package files, records. */
function stateOf(dir: string) {
  using store = Store.open(dir);
  return {
    blobs: treeOf(`${dir}/blobs`),
    packages: treeOf(`${dir}/packages`),
    records: store.records.listPackages(),
    tag: store.records.resolveTag("library/web", "1-zarf-42"),
  };
}

const added = packageWith("web", "1.0.0", digestOf("blob 0"));
const blobPath = (text: string) => {
  const hex = digestHex(digestOf(text));
  return `sha256/${hex.slice(0, 2)}/${hex}`;
};
const BLOBS = Object.fromEntries(
  ["blob 0", "blob 1", "blob 2"].map((text) => [blobPath(text), text]),
);
const FILES = Object.fromEntries(
  ["zarf.yaml", "components/a.tar"].map((path) => [`${digestHex(added.digest)}/${path}`, path]),
);

for (const name of STORE_FAILPOINTS) {
  Deno.test(`killed at each ${name} and started again, the store ends in the same state`, () =>
    withDirectory(async (root) => {
      for (let pass = 1; pass <= PASSES[name]; pass++) {
        const dir = `${root}/${pass}`;
        const killed = await run("ingest", dir, `${name}:${pass}`);
        assert.equal(killed.signal, "SIGKILL", `${name}:${pass} was not passed`);
        const between = stateOf(dir);
        for (const [path, content] of Object.entries(between.blobs)) {
          assert.equal(content, BLOBS[path], `${path} was visible with other bytes`);
        }
        if (between.records.length > 0) {
          assert.deepEqual(between.blobs, BLOBS, "a package was recorded before its blobs");
          assert.deepEqual(between.packages, FILES);
        }
        assert.deepEqual([...Deno.readDirSync(`${dir}/tmp`)], []);
        assert.equal((await run("ingest", dir)).code, 0);
        const { blobs, packages, records, tag } = stateOf(dir);
        assert.deepEqual(blobs, BLOBS);
        assert.deepEqual(packages, FILES);
        assert.deepEqual(records.map(({ digest, state }) => [digest, state]), [
          [added.digest, "accepted"],
        ]);
        assert.equal(tag?.digest, digestOf("blob 0"));
      }
      const after = await run("ingest", `${root}/none`, `${name}:${PASSES[name] + 1}`);
      assert.equal(after.code, 0, `${name} is passed more often than ${PASSES[name]} times`);
    }));
}

// The first record takes the clean mark away, the second sets it again.
for (
  const [failpoint, visible] of [
    ["store.blob.written", false],
    ["store.blob.synced", false],
    ["store.blob.renamed", true],
    ["store.blob.directory.synced", true],
    ["store.record.committing:2", true],
    ["store.record.committed:2", true],
  ] as const
) {
  Deno.test(`killed at ${failpoint}, a fetched blob is ${visible ? "whole" : "absent"}, and comes again`, () =>
    withDirectory(async (dir) => {
      assert.equal((await run("fetch", dir, failpoint)).signal, "SIGKILL");
      const whole = { [blobPath("fetched")]: "fetched" };
      assert.deepEqual(stateOf(dir).blobs, visible ? whole : {});
      assert.deepEqual([...Deno.readDirSync(`${dir}/tmp`)], []);
      assert.equal((await run("fetch", dir)).code, 0);
      assert.deepEqual(stateOf(dir).blobs, whole);
    }));
}

Deno.test("killed while it verifies after a kill, the store still serves no bad blob", () =>
  withDirectory(async (dir) => {
    assert.equal((await run("fetch", dir, "store.record.committing:2")).signal, "SIGKILL");
    const path = `${dir}/blobs/${blobPath("fetched")}`;
    Deno.chmodSync(path, 0o644);
    Deno.writeTextFileSync(path, "damaged");
    // The next start quarantines the blob and is killed before it can take the mark away.
    assert.equal((await run("ingest", dir, "store.record.committing:1")).signal, "SIGKILL");
    assert.deepEqual(stateOf(dir).blobs, {});
    assert.equal((await run("fetch", dir)).code, 0);
    assert.deepEqual(stateOf(dir).blobs, { [blobPath("fetched")]: "fetched" });
  }));

/** How often each is passed in an upgrade: the ledger's copy is written for both packages. */
const UPKEEP_PASSES: Readonly<Record<typeof UPKEEP_FAILPOINTS[number], number>> = {
  "store.ledger.written": 2,
  "store.ledger.renamed": 2,
  "store.package.removed": 1,
  "store.blob.removed": 1,
};

/** What is left of an upgrade. */
function upgraded(dir: string) {
  using store = Store.open(dir);
  // What a kill between two steps left is leftover, which goes when room is needed.
  store.collector.collect({ urgent: true });
  return {
    blobs: Object.values(treeOf(`${dir}/blobs`)).sort(),
    packages: Object.values(treeOf(`${dir}/packages`)),
    ledger: store.ledger.entries().map(({ version }) => version),
    copy: Deno.readTextFileSync(`${dir}/ledger.json`),
    states: store.records.listPackages().map(({ version, state }) => `${version} ${state}`),
    damage: store.damage,
  };
}

Deno.test("killed anywhere in an upgrade and started again, the old version goes and the new one stays", () =>
  withDirectory(async (root) => {
    assert.equal((await run("upgrade", `${root}/whole`)).code, 0);
    const whole = upgraded(`${root}/whole`);
    assert.deepEqual(whole.blobs, ["only in 2.0.0", "shared"]);
    assert.deepEqual(whole.packages, ["2.0.0"]);
    assert.deepEqual(whole.ledger, ["1.0.0", "2.0.0"]);
    for (const name of UPKEEP_FAILPOINTS) {
      for (let pass = 1; pass <= UPKEEP_PASSES[name]; pass++) {
        const dir = `${root}/${name}-${pass}`;
        const killed = await run("upgrade", dir, `${name}:${pass}`);
        assert.equal(killed.signal, "SIGKILL", `${name}:${pass} was not passed`);
        assert.equal((await run("upgrade", dir)).code, 0);
        assert.deepEqual(upgraded(dir), whole, `${name}:${pass}`);
      }
      const after = await run(
        "upgrade",
        `${root}/none-${name}`,
        `${name}:${UPKEEP_PASSES[name] + 1}`,
      );
      assert.equal(after.code, 0, `${name} is passed more often`);
    }
  }));
