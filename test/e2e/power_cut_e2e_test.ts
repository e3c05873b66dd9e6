// Runs first: power cuts take minutes.
import assert from "node:assert/strict";
import { onInterrupt } from "../demo/interrupt.ts";
import { FILE_SYSTEMS, type FileSystem } from "../powercut/disk.ts";
import { diskTest } from "../powercut/disk_testing.ts";
import { LinkSubject } from "../powercut/link_subject.ts";
import { makePool, writeGood } from "../powercut/packages.ts";
import {
  cycleLines,
  runSeries,
  type SeriesOptions,
  type Summary,
  summaryLine,
} from "../powercut/series.ts";

/** Cuts on each file system. */
const CUTS = 15;
/** Cuts in which a loss has to be found on a disk that lies. */
const LYING_CUTS = 12;
/** The largest seed. */
const MAX_SEED = 2 ** 31 - 1;

/**
 * Runs a series with packages and moments of its own, other ones each time. The first line says what
 * brings them back.
 */
async function series(
  fileSystem: FileSystem,
  lies: boolean,
  rest: Pick<SeriesOptions, "cuts" | "enough">,
): Promise<{ readonly summary: Summary; readonly lines: readonly string[] }> {
  using interrupt = onInterrupt();
  const directory = await Deno.makeTempDir({ prefix: "holdfast-powercut-" });
  const seed = Math.floor(Math.random() * MAX_SEED);
  const flags = `--fs ${fileSystem} --seed ${seed}${lies ? " --lies" : ""}`;
  const lines = [`deno task powercut ${flags} --cycle N`];
  try {
    const pool = await makePool(directory, seed);
    const summary = await runSeries({
      ...rest,
      world: { pool, lies, signal: interrupt.signal },
      seed,
      fileSystems: [fileSystem],
      onCycle: (index, report) => void lines.push(...cycleLines(index, report)),
    });
    return { summary, lines: [...lines, summaryLine(summary)] };
  } finally {
    keepLines(`power-cuts-${fileSystem}${lies ? "-lies" : ""}`, lines);
    await Deno.remove(directory, { recursive: true });
  }
}

function keepLines(name: string, lines: readonly string[]): void {
  const logs = Deno.env.get("HOLDFAST_TEST_LOGS");
  if (logs !== undefined) Deno.writeTextFileSync(`${logs}/${name}.log`, `${lines.join("\n")}\n`);
}

for (const fileSystem of FILE_SYSTEMS) {
  diskTest(`${fileSystem}: ${CUTS} power cuts take nothing that was acknowledged`, async () => {
    const { summary, lines } = await series(fileSystem, false, { cuts: CUTS });
    const text = lines.join("\n");
    assert.deepEqual(summary.findings, [], text);
    assert.ok(summary.cuts >= CUTS, text);
    assert.ok(summary.acknowledged >= CUTS / 2, text);
    assert.ok(summary.cutsDuring.ingest >= CUTS / 4, text);
  });

  diskTest(`${fileSystem}: on a disk that lies about flushing the losses are found`, async () => {
    const { summary, lines } = await series(fileSystem, true, {
      cuts: LYING_CUTS,
      enough: ({ findings }) => findings.length > 0,
    });
    assert.ok(summary.findings.some((one) => one.includes("RecordLost")), lines.join("\n"));
  });
}

Deno.test("a registry that fails over a torn entry is found", async () => {
  const directory = await Deno.makeTempDir({ prefix: "holdfast-registry-" });
  try {
    const one = await writeGood(directory, { name: "torn" });
    const dataDir = `${directory}/data`;
    const packages = new Map([[one.file, one]]);
    await using subject = new LinkSubject({ dataDir, packages });
    await Deno.copyFile(one.path, `${subject.dropDir}/${one.file}`);
    subject.start();
    await subject.settle([one.file]);
    await subject.stop();
    assert.deepEqual(await subject.checkStopped(), []);
    const { repository, blobs } = one.images[0] ?? assert.fail();
    const layer = blobs.at(-1)?.replace("sha256:", "sha256/");
    const root = `${dataDir}/registry/docker/registry/v2/repositories/${repository}`;
    await Deno.writeTextFile(`${root}/_layers/${layer}/link`, "");
    const found = await subject.checkStopped();
    assert.deepEqual(found.map(({ rule }) => rule).sort(), ["EntryTorn", "RegistryFails"]);
    assert.match(found.find(({ rule }) => rule === "RegistryFails")?.what ?? "", /: 500, /);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
