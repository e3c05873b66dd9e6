import assert from "node:assert/strict";
import { createLogger, digestOf } from "../std/mod.ts";
import { Database } from "./database.ts";
import { Ledger, LEDGER_LIMIT, type LedgerEntry } from "./ledger.ts";
import { systemStoreFs } from "./fs.ts";
import { fsWith, osError, withDirectory } from "./testing.ts";

/** A package of that version; of one version there may be several builds. */
function entry(version: string, build = "", name = "web"): LedgerEntry {
  return { name, version, digest: digestOf(`${name} ${version} ${build}`) };
}

interface Stage {
  readonly copy: string;
  readonly lines: Record<string, unknown>[];
  /** The ledger as after a start, with this database file. */
  open(database?: string, fs?: typeof systemStoreFs): Ledger;
}

async function withLedger(action: (stage: Stage) => void): Promise<void> {
  await withDirectory((dir) => {
    const open: Database[] = [];
    const lines: Record<string, unknown>[] = [];
    const write = (line: string) => void lines.push(JSON.parse(line));
    const copy = `${dir}/ledger.json`;
    try {
      action({
        copy,
        lines,
        open: (database = "a.db", fs = systemStoreFs) => {
          open.splice(0).forEach((each) => each.close());
          const db = Database.open(`${dir}/${database}`);
          open.push(db);
          const ledger = new Ledger(db, copy, fs);
          ledger.open(createLogger({ level: "info", format: "json", write }));
          return ledger;
        },
      });
    } finally {
      open.forEach((each) => each.close());
    }
  });
}

const [one, two, three] = [entry("1.0.0"), entry("2.0.0"), entry("3.0.0")];

const cases:
  readonly (readonly [string, LedgerEntry[], LedgerEntry, string | undefined, string?])[] = [
    ["the first package of a name", [], one, undefined],
    ["a newer version", [one], two, undefined],
    ["the package that was accepted last", [one, two], two, undefined],
    [
      "another build of the version that was accepted last",
      [one],
      entry("1.0.0", "again"),
      undefined,
    ],
    ["a package that was superseded", [one, two], one, "AlreadySuperseded", "2.0.0"],
    [
      "an earlier build of the same version",
      [one, entry("1.0.0", "again")],
      one,
      "AlreadySuperseded",
      "1.0.0",
    ],
    ["an older version that was never here", [three], two, "OlderVersion", "3.0.0"],
    [
      "a version below the highest, which is not the last",
      [three, entry("2.0.0", "b")],
      entry("2.5.0"),
      "OlderVersion",
      "3.0.0",
    ],
    ["a pre-release of the version that runs", [two], entry("2.0.0-rc.1"), "OlderVersion", "2.0.0"],
    ["more digits are a higher number", [entry("1.9.0")], entry("1.10.0"), undefined],
    [
      "v before the number is the same version",
      [entry("v2.0.0")],
      entry("1.9"),
      "OlderVersion",
      "v2.0.0",
    ],
    ["a version that is none", [one], entry("stable"), undefined],
    ["no version", [one], entry(""), undefined],
    ["another name", [three], entry("1.0.0", "", "db"), undefined],
  ];

for (const [what, accepted, next, reason, by] of cases) {
  Deno.test(`${what} is ${reason === undefined ? "accepted" : `refused: ${reason}`}`, () =>
    withLedger(({ open }) => {
      const ledger = open();
      for (const each of accepted) ledger.note(each);
      const refusal = ledger.judge(next);
      assert.equal(refusal?.reason, reason);
      assert.equal(refusal?.by.version, by);
      assert.deepEqual(open().judge(next), refusal, "the same after a restart");
    }));
}

Deno.test("a version that cannot be compared does not hide the highest one", () =>
  withLedger(({ open }) => {
    const ledger = open();
    for (const each of [two, entry("stable")]) ledger.note(each);
    assert.equal(ledger.judge(one)?.reason, "OlderVersion");
    assert.equal(ledger.judge(three), undefined);
  }));

Deno.test("what was allowed back is the last one again, and the highest stays", () =>
  withLedger(({ open }) => {
    const ledger = open();
    for (const each of [one, two, one]) ledger.note(each);
    assert.deepEqual(ledger.entries(), [two, one]);
    assert.equal(ledger.judge(one), undefined);
    assert.equal(ledger.judge(two)?.reason, "AlreadySuperseded");
    assert.equal(ledger.judge(entry("1.5.0"))?.by.version, "2.0.0");
  }));

Deno.test("an older database put back does not make it forget", () =>
  withLedger(({ open, lines }) => {
    open("old.db").note(one);
    const newer = open("new.db");
    for (const each of [two, three]) newer.note(each);
    const restored = open("old.db");
    assert.deepEqual(restored.entries().map(({ version }) => version), ["1.0.0", "2.0.0", "3.0.0"]);
    assert.equal(restored.judge(two)?.reason, "AlreadySuperseded");
    assert.equal(restored.judge(three), undefined);
    assert.match(String(lines.at(-1)?.["msg"] ?? lines.at(-1)?.["message"]), /had forgotten/);
  }));

Deno.test("an empty database beside the copy knows all of it", () =>
  withLedger(({ open }) => {
    const first = open();
    for (const each of [one, two]) first.note(each);
    assert.equal(open("empty.db").judge(one)?.reason, "AlreadySuperseded");
  }));

for (
  const [what, spoil] of [
    ["that is gone", (path: string) => Deno.removeSync(path)],
    ["that is cut off", (path: string) => Deno.truncateSync(path, 20)],
    ["of something else", (path: string) => Deno.writeTextFileSync(path, "[]")],
    ["that is older", (path: string) => Deno.writeTextFileSync(path, '{"entries":[]}')],
  ] as const
) {
  Deno.test(`a copy ${what} is written anew from the database`, () =>
    withLedger(({ open, copy }) => {
      const first = open();
      for (const each of [one, two]) first.note(each);
      const before = Deno.readTextFileSync(copy);
      spoil(copy);
      assert.equal(open().judge(one)?.reason, "AlreadySuperseded");
      assert.equal(Deno.readTextFileSync(copy), before);
    }));
}

Deno.test("a start with both as they should be writes nothing", () =>
  withLedger(({ open, copy }) => {
    open().note(one);
    Deno.utimeSync(copy, 1, 1);
    open();
    assert.equal(Deno.statSync(copy).mtime?.getTime(), 1_000);
  }));

Deno.test("the oldest entries go first, and the highest version stays", () =>
  withLedger(({ open }) => {
    const ledger = open();
    ledger.note(entry("9.0.0"));
    for (let build = 0; build < LEDGER_LIMIT + 3; build++) ledger.note(entry("1.0.0", `${build}`));
    const kept = ledger.entries();
    assert.equal(kept.length, LEDGER_LIMIT);
    assert.equal(kept[0]?.version, "9.0.0");
    assert.equal(kept.at(-1)?.digest, entry("1.0.0", `${LEDGER_LIMIT + 2}`).digest);
    assert.equal(ledger.judge(entry("8.0.0"))?.reason, "OlderVersion");
  }));

Deno.test("a disk that does not take the copy is told, and the next try writes it", () =>
  withLedger(({ open, copy }) => {
    const broken = fsWith({
      writeNew: () => {
        throw osError("ENOSPC");
      },
    });
    assert.throws(() => open("a.db", broken).note(one), {
      reason: "DiskFull",
      disposition: "wait",
    });
    const ledger = open();
    ledger.note(one);
    assert.match(Deno.readTextFileSync(copy), /"version":"1.0.0"/);
    assert.deepEqual(ledger.entries(), [one]);
  }));

Deno.test("what a killed run left of a copy is removed at the next start", () =>
  withLedger(({ open, copy }) => {
    open().note(one);
    Deno.writeTextFileSync(`${copy}.0123abcd.tmp`, '{"entries":[');
    open();
    const directory = copy.slice(0, copy.lastIndexOf("/"));
    const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
    assert.deepEqual(names.filter((name) => name.startsWith("ledger")), ["ledger.json"]);
  }));
