import assert from "node:assert/strict";
import { digestOf } from "../../src/std/mod.ts";
import { buildPackage, type PackageSpec, sha256, writePackage } from "../fixtures/make_package.ts";
import { keyPair, signed } from "../fixtures/sign_package.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { storeState } from "./support/store_state.ts";

/** Bytes of each layer of the large package; the store's checkpoint is at 256 MiB. */
const LAYER = 60_000_000;
const LAYERS = 8;
const LARGE: PackageSpec = {
  name: "large",
  images: [{
    reference: "docker.io/library/large:1",
    layers: Array.from({ length: LAYERS }, (_, seed) => ({ size: LAYER, seed })),
  }],
};
/** Bytes that an agent reads beside packages while one is taken in. */
const SLACK = 20_000_000;

/** Bytes that the agent has read from anywhere since it started. */
function bytesRead(agent: LocalAgent): number {
  const text = Deno.readTextFileSync(`/proc/${agent.pid}/io`);
  return Number(/^rchar: (\d+)$/m.exec(text)?.[1]);
}

/** Everything was said, and the agent waits for a cluster. */
async function atRest(agent: LocalAgent, path: string, timeout = 60_000) {
  return await agent.settled(path, { where: ({ reason }) => reason === "NoKubeconfig", timeout });
}

function blobPath(agent: LocalAgent, hex: string): string {
  return `${agent.dataDir}/blobs/sha256/${hex.slice(0, 2)}/${hex}`;
}

Deno.test("an import that was killed goes on at the last blob: what is durable is not read again", async (t) => {
  for (const format of ["tar", "tar.zst"] as const) {
    await t.step(`.${format}`, async () => {
      await using agent = new LocalAgent();
      const file = `${agent.directory}/large.${format}`;
      await writePackage(file, { ...LARGE, format });
      const { size } = await Deno.stat(file);
      // The first checkpoint has five layers; killed when all of them have their names.
      agent.start({ env: { HOLDFAST_FAILPOINT: "store.blob.renamed:5" } });
      const path = `${agent.dropDir}/large.${format}`;
      await Deno.rename(file, path);
      assert.equal((await agent.ended(60_000)).signal, "SIGKILL");
      const { files } = storeState(agent.dataDir);
      const durable = Object.keys(files).filter((name) => name.startsWith("blobs/"))
        .reduce((sum, name) => sum + Deno.statSync(`${agent.dataDir}/${name}`).size, 0);
      assert(durable >= 4 * LAYER, `${durable} bytes were durable`);
      await agent.started();
      const atStart = bytesRead(agent);
      const verdict = await atRest(agent, path);
      assert.equal(verdict.package?.name, "large");
      const read = bytesRead(agent) - atStart;
      // A compressed file has no place to begin in the middle.
      const most = format === "tar" ? size - durable + SLACK : size + SLACK;
      assert(read < most, `${read} of ${size} bytes were read, ${durable} were durable`);
      for (const layer of LARGE.images?.[0]?.layers ?? []) {
        const stored = await Deno.readFile(blobPath(agent, sha256(layer)));
        assert.equal(digestOf(stored), `sha256:${sha256(layer)}`);
      }
      const { tables } = storeState(agent.dataDir);
      assert.equal(tables["packages"]?.length, 1);
      assert.deepEqual([...Deno.readDirSync(`${agent.dataDir}/tmp`)], []);
    });
  }
});

Deno.test("a blob that rots is moved aside and comes back from its package file, and is served whole", async () => {
  await using agent = new LocalAgent();
  const spec: PackageSpec = {
    name: "web",
    images: [{ reference: "docker.io/library/web:1", layers: ["the only layer\n"] }],
  };
  await agent.started();
  const path = await agent.drop(buildPackage(spec), "web.tar.zst");
  const before = await atRest(agent, path);
  assert.equal((await agent.stop("SIGKILL")).signal, "SIGKILL");
  const hex = sha256("the only layer\n");
  const blob = blobPath(agent, hex);
  await Deno.chmod(blob, 0o644);
  await Deno.writeTextFile(blob, "the 0nly layer\n");
  // Nothing says that the bytes have changed but the unclean stop.
  await agent.started();
  await agent.eventually("the layer in the store", async () => {
    const stored = await Deno.readTextFile(blob).catch(() => "");
    return stored === "the only layer\n" ? true : undefined;
  });
  const url = `http://${agent.addresses.registry}/v2/library/web/blobs/sha256:${hex}`;
  assert.equal(await (await fetch(url)).text(), "the only layer\n");
  assert.match(await agent.get("/metrics"), /^holdfast_store_quarantined_blobs_total 1$/m);
  await agent.eventually("nothing missing", async () => {
    const metrics = await agent.get("/metrics");
    return /^holdfast_store_missing_blobs 0$/m.test(metrics) ? true : undefined;
  });
  const after = await agent.verdict(path);
  assert.deepEqual([after?.phase, after?.package], [before.phase, before.package]);
  assert.equal(storeState(agent.dataDir).tables["packages"]?.length, 1);
});

Deno.test("a package that does not fit says how much is missing, leaves nothing, and comes in when it does", async () => {
  await using agent = new LocalAgent();
  const data = `${agent.directory}/small`;
  Deno.mkdirSync(data);
  await agent.started({
    mounts: `mount -t tmpfs -o size=64m none ${data}`,
    flags: [`--data-dir=${data}`],
  });
  const layers = (seed: number, size: number) => ({
    images: [{ reference: `docker.io/library/app:${seed}`, layers: [{ size, seed }] }],
  });
  const small = await agent.drop(
    buildPackage({ name: "small", ...layers(1, 5_000_000) }),
    "small.tar.zst",
  );
  await atRest(agent, small);
  const large = await agent.drop(
    buildPackage({ name: "app", ...layers(2, 62_000_000) }),
    "large.tar.zst",
  );
  const verdict = await agent.settled(large, {
    phases: ["Receiving"],
    where: ({ reason }) => reason === "NotEnoughSpace",
  });
  assert.match(verdict.message, /needs 62\.\d MB more on the data disk, and 5\d\.\d MB are free/);
  assert.match(verdict.message, /free space on the data disk; it is tried again by itself/);
  assert.deepEqual([...Deno.readDirSync(agent.seen(`${data}/tmp`))], []);
  // A technician makes the disk larger.
  const grown = await new Deno.Command("nsenter", {
    args: [`--mount=/proc/${agent.pid}/ns/mnt`, "mount", "-o", "remount,size=300m", data],
  }).output();
  assert(grown.success, new TextDecoder().decode(grown.stderr));
  await atRest(agent, large);
  assert.equal((await agent.verdict(small))?.phase, "Accepted");
});

Deno.test("with keys an old package that was signed once is not taken back, whatever the database says", async () => {
  await using agent = new LocalAgent();
  const ours = keyPair();
  const key = `${agent.directory}/ours.pub`;
  Deno.writeTextFileSync(key, ours.pem);
  const web = (version: string) => buildPackage({ name: "web", version, hooks: signed(ours) });
  await agent.started({ flags: [`--trust-key=${key}`] });
  await atRest(agent, await agent.drop(web("1.0.0"), "one.tar.zst"));
  assert.equal((await agent.stop()).code, 0);
  const database = `${agent.dataDir}/holdfast.db`;
  await Deno.copyFile(database, `${agent.directory}/yesterday.db`);
  await agent.started({ flags: [`--trust-key=${key}`] });
  const two = await agent.drop(web("2.0.0"), "two.tar.zst");
  await atRest(agent, two);
  const replayed = await agent.settled(await agent.drop(web("1.0.0"), "replayed.tar.zst"));
  assert.deepEqual([replayed.phase, replayed.reason], ["Rejected", "AlreadySuperseded"]);
  assert.match(replayed.message, /superseded by web 2\.0\.0; nothing of the package was taken in/);
  assert.equal((await agent.stop()).code, 0);
  await Deno.copyFile(`${agent.directory}/yesterday.db`, database);
  await Deno.remove(two);
  await agent.started({ flags: [`--trust-key=${key}`] });
  const older = await agent.settled(await agent.drop(web("1.5.0"), "older.tar.zst"));
  assert.deepEqual([older.phase, older.reason], ["Rejected", "OlderVersion"]);
  assert.equal(agent.logged(/had forgotten packages that were accepted/).length, 1);
});

Deno.test("files that come together, twice or in the middle of one another have one end each", async (t) => {
  await using agent = new LocalAgent();
  await agent.started();
  const build = (name: string, version: string, seed: number) =>
    buildPackage({
      name,
      version,
      images: [{
        reference: `docker.io/library/${name}:${version}`,
        layers: [{ size: 8_000_000, seed }],
      }],
    });

  await t.step("several at once are all taken in", async () => {
    const all = ["a", "b", "c", "d"].map((name, seed) =>
      [name, build(name, "1.0.0", seed)] as const
    );
    const paths = await Promise.all(
      all.map(([name, bytes]) => agent.drop(bytes, `${name}.tar.zst`)),
    );
    for (const path of paths) assert.equal((await agent.settled(path)).phase, "Accepted");
  });

  await t.step("the same one twice is one package", async () => {
    const bytes = build("twice", "1.0.0", 9);
    const paths = await Promise.all(
      ["one", "two"].map((name) => agent.drop(bytes, `${name}.tar.zst`)),
    );
    for (const path of paths) assert.equal((await agent.settled(path)).phase, "Accepted");
    const rows = storeState(agent.dataDir).tables["packages"] ?? [];
    assert.equal(rows.filter(({ name }) => name === "twice").length, 1);
  });

  await t.step("a newer version that comes while the older is read is the wanted one", async () => {
    const older = await agent.drop(build("app", "1.0.0", 20), "app-1.tar.zst");
    const newer = await agent.drop(build("app", "2.0.0", 21), "app-2.tar.zst");
    const phases = { phases: ["Superseded", "Accepted"] };
    await agent.settled(newer, phases);
    await agent.settled(older, { phases: ["Superseded"] });
    assert.equal((await agent.verdict(newer))?.phase, "Accepted");
  });

  await t.step("a file that is replaced under its name is read as what it is now", async () => {
    const path = await agent.drop(build("first", "1.0.0", 30), "name.tar.zst");
    await agent.settled(path, { phases: ["Receiving", "Accepted"] });
    await agent.drop(build("second", "1.0.0", 31), "name.tar.zst");
    const verdict = await agent.settled(path, { where: (one) => one.package?.name === "second" });
    assert.equal(verdict.phase, "Accepted");
  });

  await t.step(
    "a file that is removed while it is read leaves nothing and stops nobody",
    async () => {
      const file = `${agent.directory}/gone.tar`;
      await writePackage(file, { ...LARGE, name: "gone", format: "tar" });
      await Deno.rename(file, `${agent.dropDir}/gone.tar`);
      await agent.eventually(
        "bytes of it in the staging directory",
        () => [...Deno.readDirSync(`${agent.dataDir}/tmp`)].length > 0 ? true : undefined,
      );
      await Deno.truncate(`${agent.dropDir}/gone.tar`, 1_000);
      await Deno.remove(`${agent.dropDir}/gone.tar`);
      const later = await agent.drop(build("later", "1.0.0", 40), "later.tar.zst");
      assert.equal((await agent.settled(later)).phase, "Accepted");
      const rows = storeState(agent.dataDir).tables["packages"] ?? [];
      assert.equal(rows.some(({ name }) => name === "gone"), false);
      assert.deepEqual([...Deno.readDirSync(`${agent.dataDir}/tmp`)], []);
    },
  );
});
