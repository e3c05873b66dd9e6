import assert from "node:assert/strict";
import { type Stage, staged, stagedInTime } from "../../test/fakes/drop_stage.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { splitPackage } from "../../test/fixtures/split_package.ts";
import { REFUSE_TIME, SETTLE_TIME } from "./settle.ts";
import type { DropOutcome } from "./types.ts";

const NAME = "zarf-package-web-amd64-1.0.0.tar.zst";
const GOOD = buildPackage({ name: "web" });
const PARTS = splitPackage(NAME, GOOD, Math.ceil(GOOD.length / 5));
const HOUR = 3_600_000;

const partName = (number: number) => `${NAME}.part${String(number).padStart(3, "0")}`;

function putPart(stage: Stage, number: number, parts = PARTS): void {
  const name = partName(number);
  stage.put(name, parts.get(name) ?? assert.fail(`there is no ${name}`));
}

function putAll(stage: Stage, parts = PARTS): void {
  for (const [name, bytes] of parts) stage.put(name, bytes);
}

/** What was said, each different thing once, in order. */
function course(stage: Stage): string[] {
  return stage.said(NAME).filter((one, at, all) => one !== all[at - 1]);
}

function receiving(outcome: DropOutcome): Extract<DropOutcome, { phase: "Receiving" }> {
  assert(outcome.phase === "Receiving", outcome.phase);
  return outcome;
}

const orders: readonly [string, readonly number[]][] = [
  ["as they were made", [0, 1, 2, 3, 4, 5]],
  ["backwards", [5, 4, 3, 2, 1, 0]],
  ["the first one last", [3, 1, 5, 2, 4, 0]],
  ["the first one in the middle", [2, 4, 0, 5, 3, 1]],
];

for (const [what, order] of orders) {
  Deno.test(`parts that come ${what}, with hours between, are one package`, () =>
    staged(async (stage) => {
      for (const number of order) {
        putPart(stage, number);
        for (const after of [0, SETTLE_TIME]) await stage.look(after);
        if (number !== order.at(-1)) await stage.look(5 * HOUR);
      }
      assert.deepEqual(course(stage), [
        "Receiving PartsMissing",
        "Receiving BeingCopied",
        "Receiving Reading",
        "Accepted",
      ]);
      const [record, ...others] = stage.store.records.listPackages();
      assert.deepEqual([record?.name, record?.fileName, record?.bytes], [
        "web",
        NAME,
        GOOD.length,
      ]);
      assert.deepEqual(others, []);
      assert.deepEqual([...new Set(stage.seen.map(({ path }) => path))], [`${stage.drop}/${NAME}`]);
      for (const [name, bytes] of PARTS) {
        assert.deepEqual(Deno.readFileSync(`${stage.drop}/${name}`), new Uint8Array(bytes));
      }
      assert.equal([...Deno.readDirSync(stage.drop)].length, 6, "nothing was joined");
    }));
}

Deno.test("how many parts and bytes are there is said, and what is missing", () =>
  staged(async (stage) => {
    const said = async (number: number) => {
      putPart(stage, number);
      await stage.look();
      const file = stage.seen.at(-1);
      const { bytes, message } = receiving(stage.last(NAME));
      return [bytes, file?.size, message.split(";")[0]];
    };
    const size = Math.ceil(GOOD.length / 5);
    assert.deepEqual(await said(2), [
      size,
      size,
      `${NAME}: 1 part is there, but not ${NAME}.part000, which says how many there are`,
    ]);
    assert.deepEqual(await said(0), [
      size,
      GOOD.length,
      `${NAME}: 1 of 5 parts are there, not part001, part003, part004 and 1 more`,
    ]);
    assert.deepEqual(await said(4), [
      2 * size,
      GOOD.length,
      `${NAME}: 2 of 5 parts are there, not part001, part003, part005`,
    ]);
    assert.match(receiving(stage.last(NAME)).message, /copy what is missing beside the other/);
  }));

Deno.test("an agent that starts anew between any two parts ends at the same", () =>
  staged(async (stage) => {
    for (const number of [4, 2, 0, 1, 5, 3]) {
      putPart(stage, number);
      const watcher = stage.another();
      for (const after of [0, SETTLE_TIME]) await stage.look(after, watcher);
      await watcher.run(AbortSignal.abort());
    }
    assert.deepEqual(stage.last(NAME).phase, "Accepted");
    stage.seen.length = 0;
    const watcher = stage.another();
    assert.equal(await stage.look(0, watcher), false);
    assert.deepEqual(stage.said(NAME), ["Accepted"], "it is not read again");
    await watcher.run(AbortSignal.abort());
  }));

Deno.test("a part that does not come is waited for, quietly and without haste", () =>
  staged(async (stage) => {
    for (const number of [0, 1, 2, 4, 5]) putPart(stage, number);
    assert.equal(await stage.look(), true);
    assert.equal(await stage.look(REFUSE_TIME), false, "the pause between looks may be long");
    for (let look = 0; look < 20; look++) assert.equal(await stage.look(HOUR), false);
    assert.deepEqual(stage.said(NAME), ["Receiving PartsMissing"]);
    assert.deepEqual(stage.log.lines, []);
    putPart(stage, 3);
    assert.equal(await stage.look(), true);
    assert.equal(await stage.look(SETTLE_TIME), false);
    assert.equal(stage.last(NAME).phase, "Accepted");
  }));

Deno.test("a part that is still being copied is waited for, however slowly", () =>
  staged(async (stage) => {
    for (const number of [0, 1, 3, 4, 5]) putPart(stage, number);
    const whole = PARTS.get(partName(2)) ?? new Uint8Array();
    for (let end = 0; end < whole.length; end += Math.ceil(whole.length / 4)) {
      stage.put(partName(2), whole.subarray(0, end));
      await stage.look();
      await stage.look(REFUSE_TIME + SETTLE_TIME);
      const { reason, message, bytes } = receiving(stage.last(NAME));
      assert.deepEqual([reason, bytes], ["PartsMissing", GOOD.length - whole.length + end]);
      assert.match(message, /all parts are there, but only \d+ of \d+ bytes/);
    }
    putPart(stage, 2);
    await stage.lookLong();
    assert.equal(stage.last(NAME).phase, "Accepted");
    assert(!course(stage).some((one) => one.startsWith("Rejected")));
  }));

const faults: readonly [string, (stage: Stage) => void, string, RegExp][] = [
  [
    "a part that is too long",
    (stage) => stage.put(partName(5), new Uint8Array(GOOD.length)),
    "InvalidParts",
    /the parts have \d+ bytes, but .*part000 says \d+.*; copy all parts again, and remove what/,
  ],
  [
    "a part too many",
    (stage) => stage.put(partName(6), new Uint8Array(1)),
    "InvalidParts",
    /part006: is there, but .*part000 says that the last part is 5/,
  ],
  [
    "a head that counts too few parts",
    (stage) => putPart(stage, 0, splitPackage(NAME, GOOD, GOOD.length, { Count: 4 })),
    "InvalidParts",
    /part005: is there, but .*part000 says that the last part is 4/,
  ],
  [
    "a head that counts a huge number of parts",
    (stage) => putPart(stage, 0, splitPackage(NAME, GOOD, GOOD.length, { Count: 1e15 })),
    "InvalidParts",
    /part000: is not the head of a split package, Count is wrong/,
  ],
  [
    "a head that is no JSON",
    (stage) => stage.put(partName(0), new TextEncoder().encode('{"Count":')),
    "InvalidParts",
    /part000: is not the head of a split package, it is wrong/,
  ],
  [
    "a head with another digest",
    (stage) =>
      putPart(
        stage,
        0,
        splitPackage(NAME, GOOD, GOOD.length, { Sha256Sum: "5".repeat(64), Count: 5 }),
      ),
    "ChecksumMismatch",
    /sha256 of the parts is [0-9a-f]{64} but .*part000 says 5555/,
  ],
  [
    "parts in each other's place",
    (stage) => {
      stage.put(partName(1), PARTS.get(partName(2)) ?? new Uint8Array());
      stage.put(partName(2), PARTS.get(partName(1)) ?? new Uint8Array());
    },
    "NotZstd",
    /zstd/,
  ],
  [
    "a part with other bytes",
    (stage) =>
      stage.put(partName(3), (PARTS.get(partName(3)) ?? new Uint8Array()).map((b) => b ^ 1)),
    "Corrupt",
    /./,
  ],
];

for (const [what, spoil, reason, says] of faults) {
  Deno.test(`${what} is refused, leaves nothing, and is taken in when it is mended`, () =>
    staged(async (stage) => {
      putAll(stage);
      spoil(stage);
      for (const after of [0, SETTLE_TIME]) await stage.look(after);
      assert.equal(stage.last(NAME).phase, "Receiving", "it may still be being copied");
      await stage.look(REFUSE_TIME);
      const outcome = stage.last(NAME);
      assert(outcome.phase === "Rejected", outcome.phase);
      assert.equal(outcome.reason, reason, outcome.message);
      assert.match(outcome.message, says);
      stage.assertUntouched();
      for (const { name } of [...Deno.readDirSync(stage.drop)]) {
        Deno.removeSync(`${stage.drop}/${name}`);
      }
      putAll(stage);
      await stage.lookLong();
      assert.equal(stage.last(NAME).phase, "Accepted");
    }));
}

Deno.test("a head that counts too many parts waits for them", () =>
  staged(async (stage) => {
    putAll(stage);
    putPart(stage, 0, splitPackage(NAME, GOOD, GOOD.length, { Count: 999 }));
    await stage.lookLong();
    await stage.look(HOUR);
    assert.match(receiving(stage.last(NAME)).message, /5 of 999 parts are there, not part006, /);
    stage.assertUntouched();
  }));

Deno.test("as many parts as there can be are taken in", () =>
  staged(async (stage) => {
    const bytes = buildPackage({ name: "many", format: "tar", files: { "sboms.tar": "s" } });
    const parts = splitPackage("many.tar", bytes, Math.ceil(bytes.length / 998));
    assert(parts.size > 900 && parts.size <= 1_000, `${parts.size}`);
    putAll(stage, parts);
    for (const after of [0, SETTLE_TIME]) await stage.look(after);
    assert.equal(stage.last("many.tar").phase, "Accepted");
  }));

Deno.test({
  name: "a part that cannot be read is tried again until it can, and leaves nothing meanwhile",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    staged(async (stage) => {
      const bytes = buildPackage({ name: "web", format: "tar" });
      // The size that sysfs gives each of its files.
      const parts = splitPackage("web.tar", bytes, 4_096);
      putAll(stage, parts);
      const path = `${stage.drop}/web.tar.part003`;
      Deno.removeSync(path);
      // It can be opened and not read: the loopback has no speed (Linux, net-sysfs).
      Deno.symlinkSync("/sys/class/net/lo/speed", path);
      await stage.lookLong();
      await stage.look(HOUR);
      const { reason, message } = receiving(stage.last("web.tar"));
      assert.equal(reason, "ReadFailed");
      assert.match(message, /the file could not be read: .*argument/i);
      stage.assertUntouched();
      const reads = stage.said("web.tar").filter((one) => one === "Receiving Reading").length;
      assert(reads > 1, `${reads} attempts`);
      Deno.removeSync(path);
      stage.put("web.tar.part003", parts.get("web.tar.part003") ?? new Uint8Array());
      await stage.lookLong();
      assert.equal(stage.last("web.tar").phase, "Accepted");
    }),
});

Deno.test("a part that is replaced makes it another package", () =>
  staged(async (stage) => {
    putAll(stage);
    await stage.lookLong();
    const path = `${stage.drop}/${partName(3)}`;
    const { atime, mtime } = Deno.statSync(path);
    // Same size, same time: only its inode tells.
    stage.put("aside", new Uint8Array(PARTS.get(partName(3))?.length ?? 0));
    Deno.renameSync(`${stage.drop}/aside`, path);
    Deno.utimeSync(path, atime ?? 0, mtime ?? 0);
    await stage.lookLong();
    assert.equal(stage.last(NAME).phase, "Rejected");
    putPart(stage, 3);
    await stage.lookLong();
    assert.equal(stage.last(NAME).phase, "Accepted");
    assert.equal(stage.store.records.listPackages().length, 1);
  }));

Deno.test("parts that are removed one by one leave what was taken in, and its verdict", () =>
  staged(async (stage) => {
    putAll(stage);
    await stage.lookLong();
    const accepted = stage.seen.at(-1);
    for (const name of PARTS.keys()) {
      Deno.removeSync(`${stage.drop}/${name}`);
      await stage.lookLong();
      if (name !== partName(5)) assert.equal(stage.said(NAME).at(-1), "Receiving PartsMissing");
    }
    assert.deepEqual(stage.seen.at(-1), accepted);
    assert.equal(stage.store.records.listPackages().length, 1);
    const said = stage.seen.length;
    await stage.look(HOUR);
    assert.equal(stage.seen.length, said);
  }));

Deno.test("the whole file beside its parts counts, as when zarf has joined them", () =>
  staged(async (stage) => {
    putAll(stage);
    await stage.lookLong();
    stage.put(NAME, GOOD);
    await stage.lookLong();
    for (const name of PARTS.keys()) Deno.removeSync(`${stage.drop}/${name}`);
    stage.seen.length = 0;
    await stage.lookLong();
    assert.deepEqual(stage.said(NAME), []);
    assert.equal(stage.store.records.listPackages().length, 1);
  }));

const LARGE = buildPackage({
  name: "large",
  format: "tar",
  images: [{
    reference: "docker.io/library/large:1",
    layers: [{ size: 30_000_000, seed: 1 }, { size: 30_000_000, seed: 2 }],
  }],
});

Deno.test("a part that is removed while another is read is waited for", () =>
  stagedInTime(async (stage) => {
    const parts = splitPackage("large.tar", LARGE, 50_000_000);
    putAll(stage, parts);
    await stage.look();
    stage.onProgress("large.tar", () => Deno.removeSync(`${stage.drop}/large.tar.part002`));
    await stage.look(SETTLE_TIME);
    if (stage.last("large.tar").phase === "Accepted") return "late";
    assert.deepEqual(receiving(stage.last("large.tar")).reason, "FileRemoved");
    stage.assertUntouched();
    await stage.look(REFUSE_TIME);
    assert.equal(receiving(stage.last("large.tar")).reason, "PartsMissing");
    stage.put("large.tar.part002", parts.get("large.tar.part002") ?? new Uint8Array());
    await stage.lookLong();
    assert.equal(stage.last("large.tar").phase, "Accepted");
  }));

Deno.test("newer parts that come while the older ones are read are what is taken in", () =>
  stagedInTime(async (stage) => {
    const newer = buildPackage({
      name: "large",
      version: "2.0.0",
      format: "tar",
      images: [{
        reference: "docker.io/library/large:2",
        layers: [{ size: 30_000_000, seed: 3 }, { size: 30_000_000, seed: 4 }],
      }],
    });
    putAll(stage, splitPackage("large.tar", LARGE, 50_000_000));
    await stage.look();
    stage.onProgress(
      "large.tar",
      () => putAll(stage, splitPackage("large.tar", newer, 50_000_000)),
    );
    await stage.look(SETTLE_TIME);
    if (stage.last("large.tar").phase === "Accepted") return "late";
    assert.equal(stage.last("large.tar").phase, "Receiving");
    await stage.lookLong();
    assert.equal(stage.last("large.tar").phase, "Accepted");
    const versions = stage.store.records.listPackages().map(({ version }) => version);
    assert.deepEqual(versions, ["2.0.0"]);
    assert(!stage.said("large.tar").some((one) => one.startsWith("Rejected")));
  }));
