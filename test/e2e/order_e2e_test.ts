import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import {
  checkOrder,
  type Expectation,
  type ExpectedRecord,
  type Operation,
  operationsOf,
  parseTrace,
  recording,
} from "../order/mod.ts";
import { PACKAGES, ROOT } from "./support/agent.ts";
import { LocalAgent } from "./support/local_agent.ts";

/** Two that share no blob, beside the seed image. */
const FILES = ["zarf-package-app-chart-amd64-1.2.3", "zarf-package-hello-amd64-0.1.0"]
  .map((name) => `${PACKAGES}/${name}.tar.zst`);
/** The tracer writes its last lines when the process has ended. */
const LAST_LINE = /^\d+ +\+\+\+ exited with 0 \+\+\+\n$/m;

interface Trace {
  readonly operations: readonly Operation[];
  readonly expectation: Expectation;
}

/** What a compiled agent does to its disk while it takes a seed image and two packages in. */
async function traced(): Promise<Trace> {
  await using agent = new LocalAgent();
  const file = `${await Deno.makeTempDir({ prefix: "holdfast-order-" })}/trace`;
  try {
    await agent.started({ under: recording(file), flags: [`--seed-dir=${ROOT}/dist/seed`] });
    for (const path of FILES) {
      await agent.settled(await agent.drop(path), {
        phases: ["Accepted"],
        where: ({ reason }) => reason === "NoKubeconfig",
      });
    }
    assert.equal((await agent.stop()).code, 0, agent.log());
    const text = await agent.eventually("end of the trace", () => {
      const text = Deno.readTextFileSync(file);
      return LAST_LINE.test(text) ? text : undefined;
    });
    return {
      operations: operationsOf(parseTrace(text)),
      expectation: {
        root: agent.directory,
        data: agent.dataDir,
        records: recordsOf(agent.dataDir),
      },
    };
  } finally {
    await Deno.remove(file.replace(/\/trace$/, ""), { recursive: true });
  }
}

/** What the database names in the end: of packages by their digest, of the seed by its manifest's. */
function recordsOf(dataDir: string): Map<string, ExpectedRecord> {
  const db = new DatabaseSync(`${dataDir}/holdfast.db`, { readOnly: true });
  try {
    const texts = (sql: string, ...values: string[]) =>
      db.prepare(sql).all(...values).map((row) => String(Object.values(row)[0]));
    const hex = (digest: string) => digest.replace("sha256:", "");
    return new Map(
      texts("SELECT owner FROM owners").map((owner) => {
        const isPackage = owner.startsWith("sha256:");
        const [manifest = ""] = texts("SELECT digest FROM manifests WHERE owner = ?", owner);
        const blobs = texts("SELECT digest FROM blob_references WHERE owner = ?", owner).map(hex);
        return [hex(isPackage ? owner : manifest), { blobs, isPackage }];
      }),
    );
  } finally {
    db.close();
  }
}

/** Flushes of which one may be missing, and why nothing is lost then. */
const COVERED: readonly (readonly [RegExp, string])[] = [
  [/^data$/, "several directories and the database are made in it; the last flush is for all"],
  [/^data\/blobs$/, "of a new store it is flushed by whoever made what is in it, and again"],
  [/^data\/blobs\/sha256$/, "all directories are made in it before a blob has its name in one"],
  [
    /^data\/holdfast\.db-journal$/,
    "SQLite flushes the header by itself, then with what is behind it",
  ],
  [/^data\/holdfast\.db-wal$/, "two transactions with nothing between; at the end SQLite's own"],
];

Deno.test("what a compiled agent does to the disk keeps the order, and each flush of it counts", async (t) => {
  const { operations, expectation } = await traced();
  const complaints = (kept: readonly Operation[]) => checkOrder(kept, expectation);
  const short = (path: string) => path.replace(`${expectation.root}/`, "");
  const flushes = operations.filter(({ kind, path }) =>
    kind === "flush" && path.startsWith(`${expectation.root}/`)
  );
  await t.step("no power cut could leave less than was promised", () => {
    assert.deepEqual(complaints(operations), []);
  });
  await t.step("the records are those of two packages and the seed image", () => {
    const records = [...expectation.records.values()];
    assert.deepEqual(records.map(({ isPackage }) => isPackage).sort(), [false, true, true]);
    assert.ok(records.every(({ blobs }) => blobs.length >= 3), JSON.stringify(records));
  });
  await t.step(
    "without any one flush there is a complaint, where the next does not make up for it",
    () => {
      const missed = flushes.filter((flush) =>
        complaints(operations.filter((one) => one !== flush)).length === 0
      );
      const unexplained = missed.map(({ path }) => short(path))
        .filter((path) => !COVERED.some(([pattern]) => pattern.test(path)));
      assert.deepEqual(unexplained, []);
      assert.ok(flushes.length - missed.length > 100, `${missed.length} of ${flushes.length}`);
    },
  );
  await t.step("without all flushes of any one file or directory there is a complaint", () => {
    const paths = new Set(flushes.map(({ path }) => path));
    const missed = [...paths].filter((path) =>
      complaints(operations.filter((one) => one.kind !== "flush" || one.path !== path)).length === 0
    );
    assert.deepEqual(missed.map(short), []);
  });
});
