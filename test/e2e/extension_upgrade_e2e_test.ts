import assert from "node:assert/strict";
import { withDirectory } from "../fakes/testing.ts";
import { writePackage } from "../fixtures/make_package.ts";
import { HELLO } from "./support/agent.ts";
import { ExtensionService } from "./support/extension_service.ts";
import { buildVersion } from "./support/extension_versions.ts";

/*
 * Versions of the extension over the same data directory, in the real runc: whatever is half written
 * at the moment of the switch, which is a power cut, each version serves what there is.
 */

const [OLD, NEW] = ["0.9.0", "0.10.0"];
/** Enough to be cut in the middle, in bytes. */
const HALF = 96 << 20;
/** How long it may take until it is begun, in milliseconds. */
const PATIENCE = 90_000;
const builds = await Deno.makeTempDir({ prefix: "holdfast-versions-" });
globalThis.addEventListener("unload", () => Deno.removeSync(builds, { recursive: true }));
await Deno.chmod(builds, 0o755);

async function built(name: string, version: string, isNewSchema = false): Promise<string> {
  await Deno.mkdir(`${builds}/${name}`, { mode: 0o755 });
  return await buildVersion(`${builds}/${name}`, { version, isNewSchema });
}

const [before, after, later] = [
  await built("before", OLD),
  await built("after", NEW),
  await built("later", NEW, true),
] as const;

/** Cuts the power while a package is taken in; gives its path. */
async function cutWhileTakingIn(service: ExtensionService, name: string): Promise<string> {
  const file = service.node(`/${name}.tar`);
  await writePackage(file, {
    name,
    format: "tar",
    // Its own: what another package has brought would not be written again.
    images: [{
      reference: `docker.io/library/${name}:1`,
      layers: [{ size: HALF, seed: name.length }],
    }],
  });
  const path = await service.drop(file, `${name}.tar`);
  await Deno.remove(file);
  const deadline = Date.now() + PATIENCE;
  while (begun(service).length === 0) {
    assert(Date.now() < deadline, "it was not seen half written");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await service.cut();
  assert.notEqual(begun(service).length, 0, "it was taken in before the cut");
  return path;
}

/** What lies half written in the store. */
function begun(service: ExtensionService): string[] {
  return [...Deno.readDirSync(`${service.data}/tmp`)].map(({ name }) => name).sort();
}

const imports = (service: ExtensionService, name: string) =>
  service.lines(/^package accepted$/).filter((line) => "package" in line && line.package === name)
    .length;

async function staged(action: (service: ExtensionService) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    await using service = new ExtensionService({ extension: before, directory });
    await service.started();
    const path = await service.drop(HELLO, "hello.tar.zst");
    await service.settled(path, ({ phase }) => phase === "Accepted");
    await action(service);
  });
}

async function serves(service: ExtensionService, version: string, ...paths: readonly string[]) {
  await service.started();
  assert.equal((await service.status())?.version, version);
  assert(await service.isServed("library/hello", "0.1.0"));
  for (const path of paths) await service.settled(path, ({ phase }) => phase === "Accepted");
}

Deno.test("up and down again: what is stored is served, and what is half written goes on", () =>
  staged(async (service) => {
    const first = await cutWhileTakingIn(service, "first");
    service.container.extension = after;
    await serves(service, NEW, first);
    assert(await service.isServed("library/first", "1"));
    const second = await cutWhileTakingIn(service, "second");
    service.container.extension = before;
    await serves(service, OLD, first, second);
    for (const name of ["first", "second"]) assert(await service.isServed(`library/${name}`, "1"));
    const packages = (await service.status())?.packages ?? [];
    assert.deepEqual(
      packages.map((one) => [one.package?.name, one.phase]).sort(),
      ["first", "hello", "second"].map((name) => [name, "Accepted"]),
    );
    for (const name of ["hello", "first", "second"]) {
      assert.equal(imports(service, name), 1, `${name} is taken in once`);
    }
    assert.deepEqual(service.lines(/./).filter(({ level }) => level === "error"), []);
  }));

Deno.test("data of a newer schema are refused and left as they are, and the newer goes on", () =>
  staged(async (service) => {
    assert.equal((await service.stop()).code, 0);
    service.container.extension = later;
    await serves(service, NEW);
    const path = await cutWhileTakingIn(service, "first");
    const [half, database] = [begun(service), Deno.readFileSync(`${service.data}/holdfast.db`)];
    service.container.extension = before;
    await service.start();
    const said = await service.logs(/the database has version \d+, this program knows up to/);
    assert.equal(said.level, "error");
    assert.match(said.msg, /nothing in the data directory was changed; start the newer program/);
    const { starts } = service;
    await service.eventually("another start", () => service.starts > starts || undefined);
    await service.cut();
    assert.deepEqual(begun(service), half);
    assert.deepEqual(Deno.readFileSync(`${service.data}/holdfast.db`), database);
    service.container.extension = later;
    await serves(service, NEW, path);
    assert.equal(imports(service, "hello"), 1);
    assert.equal(imports(service, "first"), 1);
  }));
