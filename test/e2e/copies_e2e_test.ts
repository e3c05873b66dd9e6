import assert from "node:assert/strict";
import { despitePauses } from "../fakes/testing.ts";
import { digestHex, isDigest } from "../../src/std/mod.ts";
import type { PackageStatus } from "../../src/status/mod.ts";
import { buildPackage, positionOf, writePackage } from "../fixtures/make_package.ts";
import { PACKAGES } from "./support/agent.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { storeState } from "./support/store_state.ts";

/** Longer than a file must rest before it is read, shorter than before it is refused (milliseconds). */
const PAUSE = 1_700;
const CHART = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;
const SIGNED = `${PACKAGES}/zarf-package-app-signed-amd64-1.0.0.tar.zst`;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Writes `bytes` in place, a part up to each of `ends` and then a pause; what the agent says of the
 * file until the last part is written.
 */
async function copySlowly(
  agent: LocalAgent,
  path: string,
  bytes: Uint8Array,
  ends: readonly number[],
): Promise<Set<string>> {
  const phases = new Set<string>();
  using file = await Deno.open(path, { write: true, create: true });
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    for (let at = from; at < end;) at += await file.write(bytes.subarray(at, end));
    from = end;
    if (end === bytes.length) break;
    for (const next = performance.now() + PAUSE; performance.now() < next;) {
      await sleep(100);
      phases.add((await agent.verdict(path))?.phase ?? "none");
    }
  }
  return phases;
}

/** Every blob has the bytes that its name says; nothing is left of any reading. */
function assertWhole(agent: LocalAgent): void {
  const { files } = storeState(agent.dataDir);
  for (const [path, digest] of Object.entries(files)) {
    if (path.startsWith("blobs/")) assert.ok(path.endsWith(`/${digest}`), path);
    assert.ok(!path.startsWith("tmp/"), path);
  }
}

function packages(agent: LocalAgent): readonly Readonly<Record<string, unknown>>[] {
  return storeState(agent.dataDir).tables["packages"] ?? [];
}

Deno.test("a copy that takes its time is taken when it is whole, never before", async (t) => {
  await using agent = new LocalAgent();
  await agent.started();
  const zst = await Deno.readFile(CHART);
  const tar = buildPackage({ name: "plain", format: "tar", files: { "sboms.tar": "S" } });
  const header = (name: string) => positionOf(tar, `${name}\0`);

  const copies: readonly (readonly [string, string, Uint8Array, readonly number[]])[] = [
    ["in pieces", "pieces.tar.zst", zst, [10, 100_000, zst.length >> 1, zst.length - 1]],
    // A tar that ends between two entries looks most like a whole one.
    ["cut between entries", "entries.tar", tar, [
      header("components"),
      header("images/index.json"),
      header("zarf.yaml"),
      tar.length - 1024,
    ]],
  ];
  await Promise.all(copies.map(([, name, bytes, ends]) => {
    let tries = 0;
    // A copy that stands still for five seconds is refused, rightly.
    return despitePauses(async () => {
      const path = `${agent.dropDir}/${tries++}-${name}`;
      const phases = await copySlowly(agent, path, bytes, ends);
      phases.delete("none");
      assert.deepEqual([...phases], ["Receiving"], name);
      // Who began to read before the last part came has read all of it, but knew a smaller size.
      const where = ({ progress }: PackageStatus) => progress.totalBytes === bytes.length;
      const verdict = await agent.settled(path, { where });
      assert.equal(verdict.phase, "Accepted", `${name}: ${verdict.message}`);
    });
  }));

  await t.step("into a file that has its size from the start", async () => {
    const bytes = await Deno.readFile(SIGNED);
    let tries = 0;
    await despitePauses(async () => {
      const path = `${agent.dropDir}/${tries++}-preallocated.tar.zst`;
      await Deno.writeFile(path, new Uint8Array());
      await Deno.truncate(path, bytes.length);
      const phases = await copySlowly(agent, path, bytes, [bytes.length >> 2, bytes.length >> 1]);
      phases.delete("none");
      assert.deepEqual([...phases], ["Receiving"]);
      assert.equal((await agent.settled(path)).phase, "Accepted");
    });
  });

  await t.step("one that stands still for long is refused, and taken when it goes on", async () => {
    const bytes = buildPackage({ name: "late" });
    const path = `${agent.dropDir}/late.tar.zst`;
    await Deno.writeFile(path, bytes.subarray(0, bytes.length >> 1));
    const refused = await agent.settled(path);
    assert.deepEqual([refused.phase, refused.reason], ["Rejected", "Truncated"]);
    await Deno.writeFile(path, bytes.subarray(bytes.length >> 1), { append: true });
    assert.equal((await agent.settled(path, { phases: ["Accepted"] })).package?.name, "late");
  });

  await t.step(
    "a hidden file, as rsync writes it, is left alone until it has its name",
    async () => {
      const hidden = `${agent.dropDir}/.synced.tar.zst.Xy12`;
      await Deno.writeFile(hidden, buildPackage({ name: "synced" }));
      await sleep(PAUSE);
      assert.equal(packages(agent).find((one) => one["name"] === "synced"), undefined);
      await Deno.rename(hidden, `${agent.dropDir}/synced.tar.zst`);
      assert.equal((await agent.settled(`${agent.dropDir}/synced.tar.zst`)).phase, "Accepted");
    },
  );
  assertWhole(agent);
});

Deno.test("the same package again, or under two names, is one package", async () => {
  await using agent = new LocalAgent();
  await agent.started();
  const first = await agent.drop(SIGNED);
  const { package: accepted } = await agent.settled(first);
  await agent.settled(first, { where: ({ reason }) => reason === "NoKubeconfig" });
  const { blobs, packages: rows } = contents(agent);

  const second = await agent.drop(SIGNED, "other-name.tar.zst");
  assert.deepEqual((await agent.settled(second)).package, accepted);
  await Deno.remove(`${first}.status.json`);
  await agent.drop(SIGNED);
  assert.deepEqual((await agent.settled(first)).package, accepted);
  assert.deepEqual(contents(agent), { blobs, packages: rows });
  assert.equal(rows.length, 1);
  assertWhole(agent);
});

function contents(agent: LocalAgent) {
  const { files } = storeState(agent.dataDir);
  return {
    blobs: Object.keys(files).filter((path) => path.startsWith("blobs/")),
    packages: packages(agent),
  };
}

Deno.test("a file that is replaced while it is read ends with the verdict of the later one", async (t) => {
  await using agent = new LocalAgent();
  await agent.started();

  /** Drops a large package of its own, waits until some of it is read, and gives its path. */
  const beingRead = async (name: string, seed: number): Promise<string> => {
    const path = `${agent.dropDir}/${name}`;
    // What the store has already would be taken in too fast to be seen.
    await writePackage(`${agent.directory}/${name}`, {
      name: `large-${seed}`,
      images: [{ reference: "docker.io/library/large:1", layers: [{ size: 400_000_000, seed }] }],
    });
    await Deno.rename(`${agent.directory}/${name}`, path);
    await agent.settled(path, {
      phases: ["Receiving"],
      where: ({ progress, reason }) => reason === "Reading" && progress.bytes > 0,
    });
    return path;
  };

  await t.step("by a rename", async () => {
    const path = await beingRead("renamed-over.tar.zst", 5);
    await agent.drop(buildPackage({ name: "renamed" }), "renamed-over.tar.zst");
    const verdict = await agent.settled(path, {
      where: (one) => one.package?.name === "renamed",
    });
    assert.equal(verdict.phase, "Accepted");
  });

  await t.step("by a write into it", async () => {
    const path = await beingRead("written-over.tar.zst", 6);
    await Deno.writeFile(path, buildPackage({ name: "written" }));
    const verdict = await agent.settled(path, {
      where: (one) => one.package?.name === "written",
    });
    assert.equal(verdict.phase, "Accepted");
  });

  await t.step("what was recorded is whole", () => {
    assertWhole(agent);
    const { files, tables } = storeState(agent.dataDir);
    for (const { digest } of tables["blob_references"] ?? []) {
      assert.ok(typeof digest === "string" && isDigest(digest));
      const hex = digestHex(digest);
      assert.ok(`blobs/sha256/${hex.slice(0, 2)}/${hex}` in files, `${digest} is missing`);
    }
  });
});
