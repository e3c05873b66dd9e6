import assert from "node:assert/strict";
import { despitePauses, withDirectory } from "../fakes/testing.ts";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { serviceYaml } from "../../extension/build/image/service.ts";
import { exec } from "../../src/std/mod.ts";
import { putExtension } from "./extension.ts";
import { machinedBytes } from "./machined.ts";
import { rootEntries } from "./root_entries.ts";

const TIMEOUT = 10_000;
/** What laying an image that is made already may take, in milliseconds. */
const MADE_BEFORE = 5_000;

Deno.test("everything of the root is there once, and every link leads to something", async () => {
  const entries = await rootEntries();
  const paths = entries.map(({ path }) => path);
  assert.deepEqual(paths.toSorted(), [...new Set(paths)].sort());
  // Put there by makeRoot, mounted or written by machined.
  const known = [...paths, "usr/bin/init", "usr/lib", "etc/ssl"];
  for (const entry of entries) {
    if (!("symlink" in entry)) continue;
    const from = entry.path.slice(0, entry.path.lastIndexOf("/") + 1);
    const target = entry.symlink.startsWith("/")
      ? entry.symlink.slice(1)
      : /^(bin|sbin|lib|lib64)$/.test(entry.path)
      ? entry.symlink
      : `${from}${entry.symlink}`;
    assert(known.some((path) => `${path}/`.startsWith(`${target}/`)), `${entry.path}: ${target}`);
  }
});

Deno.test("the files that others are made of are on this machine, and programs can be executed", async () => {
  for (const entry of await rootEntries()) {
    if (!("file" in entry)) continue;
    assert((await Deno.stat(entry.file)).isFile, entry.file);
    assert.equal(entry.mode, /\/bin\/|\.so/.test(entry.path) ? 0o755 : undefined, entry.path);
  }
});

/** A container's specification after the shim, on a machine without any controller. */
async function shimmed(spec: unknown): Promise<unknown> {
  const tool = await ensureTool(TOOLS.runcShim);
  return await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify(spec));
    const args = ["--log=x", "create", "--bundle", dir, "id"];
    // It ends without the runc of a node's root, after it has done its work.
    const { code, stderr } = await exec(tool, { args, env: {}, timeout: TIMEOUT });
    assert.equal(code, 1);
    assert.match(stderr, /no such file/);
    return JSON.parse(await Deno.readTextFile(`${dir}/config.json`));
  });
}

Deno.test("before runc only what this machine cannot do is taken out", async () => {
  const line = /^CapEff:\s+(\S+)$/m.exec(await Deno.readTextFile("/proc/self/status"))?.[1];
  const able = (BigInt(`0x${line}`) >> 24n & 1n) === 1n;
  const process = { args: ["/x"], oomScoreAdj: -600, rlimits: [{ type: "RLIMIT_NOFILE" }] };
  const spec = { process, root: { path: "/r" }, linux: { namespaces: [{ type: "pid" }] } };
  assert.deepEqual(await shimmed(spec), { ...spec, process: able ? process : { args: ["/x"] } });
  const raised = { ...spec, process: { args: ["/x"], oomScoreAdj: 100 } };
  assert.deepEqual(await shimmed(raised), raised);
});

Deno.test("machined is as it was built, or differs in one path only", async () => {
  const built = await Deno.readFile(await ensureTool(TOOLS.machined));
  const same = await machinedBytes(true);
  assert(same.length === built.length && same.every((byte, at) => byte === built[at]));
  const patched = await machinedBytes(false);
  const changed = patched.reduce((sum, byte, at) => sum + (byte === built[at] ? 0 : 1), 0);
  // No other place has the path, so the letters that differ between the two are few.
  assert(changed > 0 && changed <= 13 * 4, `${changed} bytes`);
});

Deno.test("the extension lies in a root as in its image, and a second time it is there at once", () =>
  withDirectory(async (dir) => {
    await putExtension(`${dir}/one`);
    let copies = 0;
    await despitePauses(async () => {
      const started = performance.now();
      await putExtension(`${dir}/${["two", "three", "four", "five"][copies++]}`);
      assert(performance.now() - started < MADE_BEFORE);
    });
    for (const each of ["one", "two"]) {
      const spec = `${dir}/${each}/rootfs/usr/local/etc/containers/holdfast.yaml`;
      assert.equal(await Deno.readTextFile(spec), serviceYaml());
    }
    assert.match(await Deno.readTextFile(`${dir}/two/manifest.yaml`), /^ {2}name: holdfast$/m);
  }));
