import assert from "node:assert/strict";
import { HELLO } from "./support/agent.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { storeState } from "./support/store_state.ts";
import { zarfCreateSplit, zarfDecompress } from "./support/zarf_create.ts";

/** Why tests that mount something cannot run here. */
const CANNOT_MOUNT = Deno.build.os !== "linux" || Deno.uid() !== 0;

/** Every path below a directory, with the size of files. */
function tree(directory: string, below = ""): string[] {
  return [...Deno.readDirSync(`${directory}/${below}`)].flatMap(({ name, isDirectory }) => {
    const path = below + name;
    return isDirectory
      ? [path, ...tree(directory, `${path}/`)]
      : [`${path} ${Deno.statSync(`${directory}/${path}`).size}`];
  }).sort();
}

/** What an agent's store holds of packages: blobs and files, without what is said of drops. */
function contentIn(dataDir: string): Record<string, string> {
  const { files } = storeState(dataDir);
  return Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith("status/")));
}

Deno.test("what the real zarf split is taken in, its parts backwards, with restarts between", async (t) => {
  await using agent = new LocalAgent();
  const { name, parts } = await zarfCreateSplit(`${agent.directory}/made`, [1, 1, 1.5]);
  assert.equal(parts.length, 5, parts.join(" "));
  const path = `${agent.dropDir}/${name}`;
  const sizes = parts.map((part) => Deno.statSync(part).size);
  const whole = sizes.slice(1).reduce((sum, size) => sum + size);
  await agent.started();

  for (const [there, part] of parts.toReversed().entries()) {
    const isLast = there === parts.length - 1;
    await t.step(part.slice(-7), async () => {
      await agent.drop(part);
      if (isLast) return;
      const saying = (says: RegExp) =>
        agent.settled(path, { phases: ["Receiving"], where: ({ message }) => says.test(message) });
      const verdict = await saying(new RegExp(`${there + 1} parts? (is|are) there, but not `));
      assert.equal(verdict.reason, "PartsMissing");
      assert.equal(verdict.file, path);
      assert.equal(verdict.progress.bytes, sizes.slice(-1 - there).reduce((a, b) => a + b));
      // A killed one knows no more than one that was stopped.
      await agent.stop(there % 2 === 0 ? "SIGKILL" : "SIGTERM");
      await Deno.remove(`${path}.status.json`);
      await agent.started();
      await saying(new RegExp(`${there + 1} parts? (is|are) there, but not `));
    });
  }

  await t.step("with the head it is whole", async () => {
    const verdict = await agent.settled(path);
    assert.equal(verdict.phase, "Accepted", verdict.message);
    assert.deepEqual([verdict.package?.name, verdict.package?.version], ["parts", "1.0.0"]);
    assert.deepEqual(verdict.progress, { bytes: whole, totalBytes: whole });
    const { packages } = storeState(agent.dataDir).tables;
    assert.deepEqual(packages?.map((row) => [row["file_name"], row["bytes"]]), [[name, whole]]);
  });

  await t.step("its parts lie where they lay, and one verdict beside them", async () => {
    await agent.settled(path, { where: ({ reason }) => reason === "NoKubeconfig" });
    const expected = parts.map((part, at) =>
      `${part.slice(part.lastIndexOf("/") + 1)} ${sizes[at]}`
    );
    const left = tree(agent.dropDir).filter((one) => !one.includes(".status.json "));
    assert.deepEqual(left, expected);
    assert.equal([...Deno.readDirSync(agent.dropDir)].length, expected.length + 1);
  });

  await t.step("it is known after a restart, and not read again", async () => {
    await agent.stop();
    const before = agent.logged(/package accepted/).length;
    await agent.started();
    await agent.settled(path);
    assert.equal(agent.logged(/package accepted/).length, before);
  });
});

Deno.test("a part with other bytes is refused, and the right one in its place is taken", async () => {
  await using agent = new LocalAgent();
  const { name, parts } = await zarfCreateSplit(`${agent.directory}/made`, [1, 1.5]);
  const path = `${agent.dropDir}/${name}`;
  await agent.started();
  const [, , second = ""] = parts;
  const damaged = await Deno.readFile(second);
  damaged.set(new Uint8Array(64), 1_000);
  for (const part of parts) {
    await agent.drop(part === second ? damaged : part, part.slice(part.lastIndexOf("/") + 1));
  }
  const refused = await agent.settled(path, { phases: ["Rejected"] });
  assert.match(refused.reason, /^(Corrupt|ChecksumMismatch)$/);
  await agent.drop(second);
  const verdict = await agent.settled(path, { phases: ["Accepted"] });
  assert.equal(verdict.package?.name, "parts");
});

Deno.test("what the real zarf unpacked is in the store as the archive is", async () => {
  await using archived = new LocalAgent();
  await archived.started();
  const expected = await archived.settled(await archived.drop(HELLO));

  await using agent = new LocalAgent();
  await agent.started();
  const path = `${agent.dropDir}/stick/of mine/hello`;
  await Deno.mkdir(`${agent.dropDir}/stick/of mine`, { recursive: true });
  // In place, as a person would.
  await zarfDecompress(HELLO, path);
  const before = tree(path);
  // The last thing that is said: it waits for a cluster.
  const verdict = await agent.settled(path, { where: ({ reason }) => reason === "NoKubeconfig" });
  assert.equal(verdict.phase, "Accepted", verdict.message);
  assert.deepEqual([verdict.file, verdict.package], [path, expected.package]);
  assert.deepEqual(contentIn(agent.dataDir), contentIn(archived.dataDir));
  assert.deepEqual(tree(path), before, "nothing is written into it");
  assert.deepEqual(
    [...Deno.readDirSync(`${agent.dropDir}/stick/of mine`)].map((e) => e.name).sort(),
    [
      "hello",
      "hello.status.json",
    ],
  );
});

Deno.test("a file too many in an unpacked package is named, and can be removed", async () => {
  await using agent = new LocalAgent();
  await agent.started();
  const path = `${agent.dropDir}/hello`;
  await zarfDecompress(HELLO, `${agent.directory}/hello`);
  await Deno.writeTextFile(`${agent.directory}/hello/desktop.ini`, "");
  await Deno.rename(`${agent.directory}/hello`, path);
  const refused = await agent.settled(path, { phases: ["Rejected"] });
  assert.equal(refused.reason, "UnlistedFile");
  assert.match(refused.message, /^desktop\.ini: is in the package/);
  await Deno.remove(`${path}/desktop.ini`);
  assert.equal((await agent.settled(path, { phases: ["Accepted"] })).package?.name, "hello");
});

Deno.test({
  name: "from a read-only stick an unpacked and a split package are taken",
  ignore: CANNOT_MOUNT,
  fn: async () => {
    await using agent = new LocalAgent();
    const { dropDir } = agent;
    const { name, parts } = await zarfCreateSplit(`${agent.directory}/made`, [1.5]);
    await zarfDecompress(HELLO, `${dropDir}/usb/hello`);
    for (const part of parts) await agent.drop(part);
    const before = tree(dropDir);
    await agent.started({
      mounts: `mount --bind ${dropDir} ${dropDir}; mount -o remount,bind,ro ${dropDir}`,
    });
    for (const file of ["hello", name]) {
      const verdict = await agent.settled(`${agent.dataDir}/status/${file}`);
      assert.equal(verdict.phase, "Accepted", verdict.message);
    }
    assert.deepEqual(tree(dropDir), before);
  },
});
