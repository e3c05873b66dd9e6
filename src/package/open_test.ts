import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import {
  type ByteSource,
  openPackage,
  type PackageContents,
  packageFormat,
  readPackage,
} from "./mod.ts";

const names: readonly [string, "tar.zst" | "tar" | undefined][] = [
  ["zarf-package-app-amd64-1.0.0.tar.zst", "tar.zst"],
  ["zarf-package-app-amd64-1.0.0.tar", "tar"],
  ["zarf-init-amd64-v0.84.0.tar.zst", "tar.zst"],
  [".app.tar.zst.Xy12", undefined],
  ["app.tar.zst.part", undefined],
  ["app.tar.zst.status.json", undefined],
  ["app.tar.gz", undefined],
  ["readme.txt", undefined],
];

for (const [name, format] of names) {
  Deno.test(`${name} is ${format ?? "not a package"}`, () => {
    assert.equal(packageFormat(name), format);
  });
}

/** Opens what is at `path`, reads it and checks it as a whole. */
async function read(path: string, sink = new MemorySink()): Promise<PackageContents> {
  using opened = openPackage(path);
  const options = { format: opened.format, architecture: "amd64", sink } as const;
  const contents = await readPackage(opened.source, options);
  opened.checkWhole();
  assert.equal(contents.bytes.archive, opened.source.size);
  return contents;
}

for (const format of ["tar.zst", "tar"] as const) {
  Deno.test(`a .${format} file is opened and read`, () =>
    withDirectory(async (dir) => {
      const bytes = buildPackage({ name: "web", format });
      const path = `${dir}/any-name.${format}`;
      await Deno.writeFile(path, bytes);
      using opened = openPackage(path);
      assert.deepEqual([opened.format, opened.source.size], [format, bytes.length]);
      assert.equal((await read(path)).definition.metadata.name, "web");
    }));
}

Deno.test("what is no package is refused without being read", () =>
  withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/notes.txt`, "x");
    assert.throws(() => openPackage(`${dir}/notes.txt`), {
      reason: "UnknownFormat",
      disposition: "terminal",
      message: /^notes\.txt: the name ends neither/,
    });
    assert.throws(() => openPackage(`${dir}/gone.tar`), Deno.errors.NotFound);
    const { success } = await new Deno.Command("mkfifo", { args: [`${dir}/pipe.tar`] }).output();
    assert(success);
    assert.throws(() => openPackage(`${dir}/pipe.tar`), { reason: "UnsupportedEntry" });
  }));

for (const format of ["tar.zst", "tar"] as const) {
  Deno.test(`a disk that fails in the middle of a .${format} is not a damaged package`, async (t) => {
    const bytes = buildPackage({
      format,
      images: [{ reference: "docker.io/library/sample:1", layers: [{ size: 200_000, seed: 1 }] }],
    });
    for (const after of [0, 1, 600, bytes.length >> 1, bytes.length - 1, bytes.length]) {
      await t.step(`after ${after} of ${bytes.length} bytes`, async () => {
        const broken = new Error("Input/output error (os error 5)");
        const whole = sourceOf(bytes.subarray(0, after), 10_000);
        const source: ByteSource = {
          size: bytes.length,
          read(buffer) {
            const count = whole.read(buffer);
            if (count === 0) throw broken;
            return count;
          },
        };
        const sink = new MemorySink();
        const options = { format, architecture: "amd64", sink } as const;
        await assert.rejects(readPackage(source, options), (error) => error === broken);
        assert.equal(sink.open, 0, "a file was left open");
      });
    }
  });
}

Deno.test("a failure of the disk comes out as it is, not as a damaged package", () =>
  withDirectory(async (dir) => {
    await Deno.symlink("/sys/class/net/lo/speed", `${dir}/unreadable.tar`);
    await assert.rejects(read(`${dir}/unreadable.tar`), (error) => {
      assert(error instanceof Error && !("reason" in error), String(error));
      return true;
    });
  }));
