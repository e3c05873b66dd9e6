import assert from "node:assert/strict";
import { buildPackage, writePackage } from "../fixtures/make_package.ts";
import { type BadPackage, badPackages, fileName } from "../zoo/mod.ts";
import { PACKAGES } from "./support/agent.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { stateBesideDrops, storeState } from "./support/store_state.ts";

/** The most resident memory that reading packages may take, in bytes (design.md §7). */
const MEMORY_LIMIT = 200 << 20;
/** Bytes of the large package. */
const LARGE = 300_000_000;
/** Milliseconds in which one file must be refused, and all of the zoo. */
const REFUSAL_LIMIT = 10_000;
const ALL_LIMIT = 540_000;

/** Everything that was accepted says that it waits, and nothing more is written. */
async function atRest(agent: LocalAgent, path: string): Promise<void> {
  await agent.settled(path, { where: ({ reason }) => reason === "NoKubeconfig" });
}

Deno.test("packages of the real zarf are accepted", async () => {
  await using agent = new LocalAgent();
  await agent.started();
  const files = [...Deno.readDirSync(PACKAGES)]
    .map((entry) => entry.name)
    .filter((name) => /\.tar(\.zst)?$/.test(name));
  assert.ok(files.length >= 6);
  const paths = await Promise.all(files.map((name) => agent.drop(`${PACKAGES}/${name}`)));
  for (const path of paths) {
    // Of two with one name the later one is wanted.
    const verdict = await agent.settled(path, { phases: ["Accepted", "Superseded", "Rejected"] });
    assert.notEqual(verdict.phase, "Rejected", verdict.message);
    assert.equal(verdict.progress.bytes, verdict.progress.totalBytes);
    assert.match(verdict.package?.digest ?? "", /^sha256:[0-9a-f]{64}$/);
  }
  const { packages } = storeState(agent.dataDir).tables;
  assert.equal(packages?.length, files.length);
  assert.ok(agent.memory("VmHWM") < MEMORY_LIMIT, `${agent.memory("VmHWM")} bytes`);
});

/** Drops packages of the zoo and sees every one refused; gives their paths. */
async function dropZoo(
  t: Deno.TestContext,
  agent: LocalAgent,
  zoo: readonly BadPackage[],
): Promise<string[]> {
  const paths: string[] = [];
  for (const bad of zoo) paths.push(await agent.drop(bad.make(), fileName(bad)));
  const deadline = performance.now() + ALL_LIMIT;
  for (const [at, bad] of zoo.entries()) {
    await t.step(fileName(bad), async () => {
      const verdict = await agent.settled(paths[at] ?? "", {
        timeout: deadline - performance.now(),
      });
      assert.equal(verdict.phase, "Rejected");
      assert.equal(verdict.reason, bad.reason, verdict.message);
      assert.ok(verdict.message.includes(bad.part), verdict.message);
      assert.match(verdict.message, /nothing of the package was taken in/);
      assert.equal(verdict.package, undefined);
    });
  }
  return paths;
}

Deno.test("a package at fault is refused by its part, and changes nothing", async (t) => {
  await using agent = new LocalAgent();
  await agent.started();
  const good = await agent.drop(`${PACKAGES}/zarf-package-hello-amd64-0.1.0.tar.zst`);
  await atRest(agent, good);
  const before = stateBesideDrops(agent.dataDir);
  const zoo = badPackages().filter(({ key }) => key === undefined);
  const paths = await dropZoo(t, agent, zoo);

  await t.step("the store is as it was, and the agent works on", async () => {
    assert.deepEqual(stateBesideDrops(agent.dataDir), before);
    assert.equal((await agent.verdict(good))?.phase, "Accepted");
    assert.ok(agent.memory("VmHWM") < MEMORY_LIMIT, `${agent.memory("VmHWM")} bytes`);
    await assert.rejects(Deno.stat("/etc/holdfast-evil"), Deno.errors.NotFound);
    await assert.rejects(Deno.stat(`${agent.directory}/evil`), Deno.errors.NotFound);
    const later = await agent.drop(buildPackage({ name: "later" }), "later.tar.zst");
    assert.equal((await agent.settled(later)).phase, "Accepted");
  });

  await t.step("one alone is refused within seconds", async () => {
    const started = performance.now();
    const path = await agent.drop(buildPackage({ architecture: "arm64" }), "alone.tar.zst");
    assert.equal((await agent.settled(path)).reason, "ArchitectureMismatch");
    assert.ok(performance.now() - started < REFUSAL_LIMIT, `${performance.now() - started} ms`);
  });

  await t.step("a refusal outlives the agent, and a right file of the name is taken", async () => {
    assert.equal((await agent.stop()).code, 0);
    await agent.started();
    const path = paths[0] ?? "";
    assert.equal((await agent.verdict(path))?.phase, "Rejected");
    await agent.drop(buildPackage({ name: "mended" }), zoo[0] && fileName(zoo[0]));
    const verdict = await agent.settled(path, { phases: ["Accepted"] });
    assert.equal(verdict.package?.name, "mended");
  });
});

Deno.test("a package with a wrong signature is refused by whoever trusts a key", async (t) => {
  await using agent = new LocalAgent();
  const zoo = badPackages().filter(({ key }) => key !== undefined);
  const keyFile = `${agent.directory}/trusted.pub`;
  await Deno.writeTextFile(keyFile, zoo[0]?.key ?? assert.fail("the zoo has no signatures"));
  await agent.started({ flags: [`--trust-key=${keyFile}`] });
  const before = stateBesideDrops(agent.dataDir);
  await dropZoo(t, agent, zoo);
  assert.deepEqual(stateBesideDrops(agent.dataDir), before);
});

Deno.test("a large package that is wrong at its end leaves nothing, in flat memory", async () => {
  await using agent = new LocalAgent();
  await agent.started();
  const first = await agent.drop(buildPackage({ name: "first" }), "first.tar.zst");
  await atRest(agent, first);
  const before = stateBesideDrops(agent.dataDir);
  const file = `${agent.directory}/large.tar.zst`;
  await writePackage(file, {
    name: "large",
    images: [{ reference: "docker.io/library/large:1", layers: [{ size: LARGE, seed: 3 }] }],
    // zarf.yaml is the last entry: everything before it is read and written.
    hooks: {
      definition: (definition) => definition.metadata["aggregateChecksum"] = "0".repeat(64),
    },
  });
  const path = `${agent.dropDir}/large.tar.zst`;
  await Deno.rename(file, path);
  await agent.eventually(
    "bytes of it in the staging directory",
    () => [...Deno.readDirSync(`${agent.dataDir}/tmp`)].length > 0 ? true : undefined,
  );
  const verdict = await agent.settled(path, { timeout: 180_000 });
  assert.equal(verdict.reason, "AggregateMismatch", verdict.message);
  assert.deepEqual(stateBesideDrops(agent.dataDir), before);
  assert.ok(agent.memory("VmHWM") < MEMORY_LIMIT, `${agent.memory("VmHWM")} bytes`);
});
