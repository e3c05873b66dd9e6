import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage, positionOf } from "../../test/fixtures/make_package.ts";
import { MemorySink } from "../../test/fixtures/package_sink.ts";
import { type SplitMetadata, splitPackage } from "../../test/fixtures/split_package.ts";
import { type OpenedPackage, openPackage, type PackageContents, readPackage } from "./mod.ts";

/** A directory with a package `web.tar.zst` or `web.tar` in parts. */
class Stage {
  readonly path: string;
  readonly parts: Map<string, Uint8Array<ArrayBuffer>>;

  constructor(
    readonly dir: string,
    readonly bytes: Uint8Array<ArrayBuffer>,
    { format = "tar.zst", partBytes = Math.ceil(bytes.length / 4), head = {} }: StageOptions,
  ) {
    this.path = `${dir}/web.${format}`;
    this.parts = splitPackage(`web.${format}`, bytes, partBytes, head);
    for (const [name, part] of this.parts) Deno.writeFileSync(`${dir}/${name}`, part);
  }

  part(number: number): string {
    return `${this.path}.part${String(number).padStart(3, "0")}`;
  }
}

interface StageOptions {
  readonly format?: "tar.zst" | "tar";
  readonly partBytes?: number;
  readonly head?: Partial<Record<keyof SplitMetadata, unknown>>;
}

function staged(
  bytes: Uint8Array<ArrayBuffer>,
  options: StageOptions,
  action: (stage: Stage) => void | Promise<void>,
): Promise<void> {
  return withDirectory((dir) => action(new Stage(dir, bytes, options)));
}

async function read(opened: OpenedPackage): Promise<PackageContents> {
  const { source, format } = opened;
  const options = { format, architecture: "amd64", sink: new MemorySink() } as const;
  const contents = await readPackage(source, options);
  opened.checkWhole();
  return contents;
}

/** All bytes of an opened package, in reads of `step`. */
function drain({ source }: OpenedPackage, step = 100): Uint8Array {
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(step);
  for (let count; (count = source.read(buffer)) > 0;) chunks.push(buffer.slice(0, count));
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

const ZST = buildPackage({ name: "web" });
const TAR = buildPackage({ name: "web", format: "tar" });

for (const [format, bytes] of [["tar.zst", ZST], ["tar", TAR]] as const) {
  Deno.test(`the parts of a .${format} are read as the file that they were`, () =>
    staged(bytes, { format }, async (stage) => {
      for (const name of [stage.path, stage.part(0), stage.part(3)]) {
        using opened = openPackage(name);
        assert.deepEqual([opened.format, opened.source.size], [format, bytes.length]);
        const contents = await read(opened);
        assert.equal(contents.definition.metadata.name, "web");
        assert.equal(contents.bytes.archive, bytes.length);
      }
      const left = [...Deno.readDirSync(stage.dir)].map(({ name }) => name).sort();
      assert.deepEqual(left, [...stage.parts.keys()], "nothing was joined or deleted");
    }));
}

Deno.test("as many parts as there can be are read", () =>
  staged(ZST, { partBytes: Math.ceil(ZST.length / 999) }, async (stage) => {
    assert(stage.parts.size > 700, `${stage.parts.size} parts`);
    using opened = openPackage(stage.path);
    assert.deepEqual(drain(opened, 1_000), new Uint8Array(ZST));
    opened.checkWhole();
    using again = openPackage(stage.path);
    await read(again);
  }));

Deno.test("999 parts are read, and a thousandth file is no part", () =>
  staged(new Uint8Array(999).fill(7), { format: "tar", partBytes: 1 }, (stage) => {
    assert.equal(stage.parts.size, 1_000);
    Deno.writeTextFileSync(`${stage.path}.part1000`, "x");
    using opened = openPackage(stage.path);
    assert.equal(drain(opened).length, 999);
    opened.checkWhole();
  }));

Deno.test("a file beside parts of its name counts, not they", () =>
  staged(ZST, {}, async (stage) => {
    Deno.writeFileSync(stage.path, buildPackage({ name: "other" }));
    using whole = openPackage(stage.path);
    assert.equal((await read(whole)).definition.metadata.name, "other");
    using parts = openPackage(stage.part(0));
    assert.equal((await read(parts)).definition.metadata.name, "web");
  }));

const refusals: readonly [
  string,
  NonNullable<StageOptions["head"]>,
  (stage: Stage) => void,
  string,
  RegExp,
][] = [
  ["without its head", {}, (stage) => Deno.removeSync(stage.part(0)), "PartsMissing", /4 parts/],
  [
    "without a part",
    {},
    (stage) => Deno.removeSync(stage.part(2)),
    "PartsMissing",
    /not part002/,
  ],
  [
    "with a folder for a part",
    {},
    (stage) => {
      Deno.removeSync(stage.part(2));
      Deno.mkdirSync(stage.part(2));
    },
    "PartsMissing",
    /3 of 4 parts are there, not part002/,
  ],
  [
    "with a short part",
    {},
    (stage) => Deno.truncateSync(stage.part(2), 9),
    "PartsMissing",
    /only \d+ of/,
  ],
  [
    "with a long part",
    {},
    (stage) => Deno.writeTextFileSync(stage.part(4), "more", { append: true }),
    "InvalidParts",
    /the parts have \d+ bytes, but web\.tar\.zst\.part000 says/,
  ],
  [
    "with a part too many",
    {},
    (stage) => Deno.writeTextFileSync(stage.part(5), ""),
    "InvalidParts",
    /^web\.tar\.zst\.part005: is there, but/,
  ],
  ["that counts too few parts", { Count: 3 }, () => {}, "InvalidParts", /the last part is 3/],
  ["that counts too many parts", { Count: 5 }, () => {}, "PartsMissing", /4 of 5 parts are/],
  ["that counts a huge number", { Count: 1e12 }, () => {}, "InvalidParts", /Count is wrong/],
  [
    "with a head that is none",
    {},
    (stage) => Deno.writeTextFileSync(stage.part(0), "{"),
    "InvalidParts",
    /part000: is not the head/,
  ],
];

for (const [what, head, change, reason, says] of refusals) {
  Deno.test(`a split package ${what} is not opened: ${reason}`, () =>
    staged(ZST, { head }, (stage) => {
      change(stage);
      assert.throws(() => openPackage(stage.path), { reason, message: says });
    }));
}

Deno.test("where neither file nor part is, nothing is found", () =>
  withDirectory((dir) => {
    for (const name of ["web.tar", "web.tar.part000", "no/such/web.tar"]) {
      assert.throws(() => openPackage(`${dir}/${name}`), Deno.errors.NotFound);
    }
  }));

Deno.test("another digest than the head says is refused when the package is good", () =>
  staged(ZST, { head: { Sha256Sum: "0".repeat(64) } }, async (stage) => {
    using opened = openPackage(stage.path);
    await assert.rejects(read(opened), {
      reason: "ChecksumMismatch",
      disposition: "terminal",
      message:
        /^web\.tar\.zst: sha256 of the parts is [0-9a-f]{64} but web\.tar\.zst\.part000 says/,
    });
  }));

Deno.test("what is wrong with the package itself is said first", () =>
  staged(TAR, { format: "tar" }, async (stage) => {
    const at = positionOf(TAR, "aggregateChecksum: ") + 20;
    const changed = Uint8Array.from(TAR);
    changed[at] = changed[at] === 0x30 ? 0x31 : 0x30;
    const parts = splitPackage("web.tar", changed, Math.ceil(TAR.length / 4));
    for (const number of [1, 2, 3, 4]) {
      const name = stage.part(number);
      Deno.writeFileSync(name, parts.get(name.slice(stage.dir.length + 1)) ?? new Uint8Array());
    }
    using opened = openPackage(stage.path);
    await assert.rejects(read(opened), { reason: "AggregateMismatch" });
  }));

Deno.test("of what was skipped there is no digest", () =>
  staged(TAR, { format: "tar", head: { Sha256Sum: "0".repeat(64) } }, (stage) => {
    using opened = openPackage(stage.path);
    const { source } = opened;
    assert.equal(source.read(new Uint8Array(10)), 10);
    assert(source.skip !== undefined);
    source.skip(TAR.length - 30);
    assert.deepEqual(drain(opened), new Uint8Array(TAR.subarray(-20)));
    opened.checkWhole();
  }));

const accidents: readonly [string, (stage: Stage) => void, object][] = [
  ["is removed", (stage) => Deno.removeSync(stage.part(3)), { name: "NotFound" }],
  ["shrinks", (stage) => Deno.truncateSync(stage.part(3), 5), { reason: "FileChanged" }],
  [
    "is replaced by another of the same size",
    (stage) => {
      const { size } = Deno.statSync(stage.part(3));
      Deno.writeFileSync(`${stage.dir}/new`, new Uint8Array(size));
      Deno.utimeSync(`${stage.dir}/new`, 1_000, 1_000);
      Deno.renameSync(`${stage.dir}/new`, stage.part(3));
    },
    { reason: "FileChanged", message: /^web\.tar\.zst\.part003: was changed/ },
  ],
];

for (const [what, change, expected] of accidents) {
  Deno.test(`a part that ${what} while the first is read is an error that may pass`, () =>
    staged(ZST, {}, (stage) => {
      using opened = openPackage(stage.path);
      opened.source.read(new Uint8Array(10));
      change(stage);
      assert.throws(() => drain(opened), expected);
    }));
}
