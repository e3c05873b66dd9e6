import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync } from "node:zlib";
import { despitePauses } from "../../test/fakes/testing.ts";
import { buildPackage, writePackage } from "../../test/fixtures/make_package.ts";
import type { ReadMeasurement } from "../../test/fixtures/measure_read.ts";
import { refusal } from "../../test/fixtures/refusal.ts";

const SCRIPT = new URL("../../test/fixtures/measure_read.ts", import.meta.url).pathname;

/** Content of the large package; a reader that held it could not hide it. */
const LARGE = 400_000_000;

/** How much more memory the large package may take than the small one: garbage not yet collected. */
const ALLOWANCE = 48 << 20;

async function measure(path: string): Promise<ReadMeasurement> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", SCRIPT, path],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

for (const format of ["tar", "tar.zst"] as const) {
  Deno.test({
    name: `reading a .${format} of 400 MB takes no more memory than one of 20 MB`,
    // The peak of a process is read from /proc.
    ignore: Deno.build.os !== "linux",
    async fn() {
      const directory = await Deno.makeTempDir();
      try {
        const [small, large] = [`${directory}/small.${format}`, `${directory}/large.${format}`];
        const of = (size: number) => ({
          format,
          images: [{ reference: "docker.io/library/a:1", layers: [{ size, seed: 1 }] }],
        });
        await writePackage(small, of(20_000_000));
        await writePackage(large, of(LARGE));
        // Once more where the threads that collect garbage had no processor.
        await despitePauses(async () => {
          const base = await measure(small);
          const more = await measure(large);
          assert(more.contentBytes > LARGE);
          const growth = more.peakResidentBytes - base.peakResidentBytes;
          assert(growth < ALLOWANCE, `${growth} bytes more`);
        });
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

Deno.test("a small file that stands for endless zeros is refused at its limit", async () => {
  const tar = buildPackage({ format: "tar" });
  const zeros = zstdCompressSync(Buffer.alloc(64 << 20), {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
  const bomb = Buffer.concat([zstdCompressSync(tar), ...Array(16).fill(zeros)]);
  assert(bomb.length < 1 << 20);
  const error = await refusal(bomb);
  assert.equal(error.reason, "TrailingData", error.message);
});
