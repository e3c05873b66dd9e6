import assert from "node:assert/strict";
import { normalize } from "node:path/posix";
import { withDirectory } from "../../../test/fakes/testing.ts";
import type { TarEntry } from "../tar.ts";
import { containerParts, type Part, PROGRAMS } from "./contents.ts";

const ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

/** The parts of an image whose programs are all this Deno, with a seed of one blob. */
async function withParts(see: (parts: readonly Part[]) => void): Promise<void> {
  await withDirectory(async (dir) => {
    const link = async (path: string, target: string) => {
      await Deno.mkdir(`${dir}/root${path.replace(/\/[^/]*$/, "")}`, { recursive: true });
      await Deno.symlink(target, `${dir}/root${path}`);
    };
    for (const { path } of Object.values(PROGRAMS)) await link(path, Deno.execPath());
    // Where the libraries are; a directory that this machine has not is found missing as usual.
    for (const path of ["/lib", "/lib64"]) await link(path, path);
    await Deno.mkdir(`${dir}/seed/blobs/sha256`, { recursive: true });
    for (const name of ["index.json", "oci-layout", "blobs/sha256/abc"]) {
      await Deno.writeTextFile(`${dir}/seed/${name}`, "{}");
    }
    see(containerParts({
      architecture: ARCHITECTURE,
      agent: Deno.execPath(),
      helm: Deno.execPath(),
      seed: `${dir}/seed`,
      root: `${dir}/root`,
    }));
  });
}

const entriesOf = (parts: readonly Part[]): TarEntry[] => parts.flatMap(({ entries }) => entries);

Deno.test("no path is there twice, and every link leads to a file of the image", async () => {
  await withParts((parts) => {
    const entries = entriesOf(parts);
    const files = new Set(entries.filter((each) => !("directory" in each)).map(({ path }) => path));
    const paths = entries.map(({ path }) => path);
    assert.equal(new Set(paths).size, paths.length);
    for (const entry of entries) {
      if (!("symlink" in entry)) continue;
      const target = normalize(`${entry.path}/../${entry.symlink}`);
      assert(files.has(target), `${entry.path} -> ${target}`);
    }
  });
});

Deno.test("no file has a right of its own", async () => {
  await withParts((parts) => {
    for (const { path, mode = 0o644 } of entriesOf(parts)) {
      assert.equal(mode & ~0o755, 0, `${path}: ${mode.toString(8)}`);
    }
  });
});

Deno.test("the agent has its tools, its seed and its settings beside it, and git by its usual names", async () => {
  await withParts((parts) => {
    const paths = new Set(entriesOf(parts).map(({ path }) => path));
    const expected = [
      ...["holdfast", "agent.yaml", "tools/helm", "tools/kubectl", "seed/index.json"]
        .map((name) => `opt/holdfast/${name}`),
      ...["opt/holdfast/seed/blobs/sha256/abc", "usr/bin/git", "usr/bin/git-upload-pack"],
      ...["usr/lib/git-core/git-receive-pack", "usr/lib/git-core/git-remote-https", "bin/sh"],
    ];
    for (const path of expected) assert(paths.has(path), path);
  });
});

Deno.test("what comes from Debian's packages is told by its path on the build machine", async () => {
  await withParts((parts) => {
    const files = parts.flatMap(({ fromPackages = [] }) => fromPackages);
    for (const { path } of Object.values(PROGRAMS)) assert(files.includes(path), path);
    assert(files.some((path) => /^\/.*\/libc\.so\.6$/.test(path)));
  });
});
