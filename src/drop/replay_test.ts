import assert from "node:assert/strict";
import { loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { keyPair, signed, type SigningPair } from "../../test/fixtures/sign_package.ts";
import { Store } from "../store/mod.ts";
import { parseOutcome } from "./outcome.ts";
import { REFUSE_TIME } from "./settle.ts";
import { ALLOW_OLDER } from "./intake.ts";
import { DropWatcher } from "./watcher.ts";

const ours = keyPair();

interface Build {
  readonly name?: string;
  /** Tells builds of one version apart. */
  readonly build?: string;
  readonly annotations?: Record<string, string>;
  /** Signed by; nobody when null. */
  readonly by?: SigningPair | null;
}

/** A package of that version. */
function version(version: string, { name = "web", build, annotations, by = ours }: Build = {}) {
  const { definition: sign, ...hooks } = by === null ? { definition: undefined } : signed(by);
  return buildPackage({
    name,
    version,
    ...(build === undefined ? {} : { files: { "build.txt": build } }),
    hooks: {
      ...hooks,
      definition: (definition) => {
        if (annotations !== undefined) definition.metadata["annotations"] = annotations;
        sign?.(definition);
      },
    },
  });
}

/** A node whose clock always says 1970, with one agent's life after another. */
class Node {
  readonly drop: string;
  readonly data: string;
  #files = 0;

  constructor(dir: string) {
    this.drop = `${dir}/drop`;
    this.data = `${dir}/data`;
    Deno.mkdirSync(this.drop);
  }

  /** Starts, takes these files in one after the other, and stops. What became of the last one. */
  async take(packages: readonly Uint8Array[], trust = [ours.trusted]): Promise<string> {
    const clock = new TestClock();
    using store = Store.open(this.data);
    const watcher = new DropWatcher({
      directories: [this.drop],
      store,
      architecture: "amd64",
      trust,
      logger: loggerOf().logger,
      clock,
      onChange() {},
    });
    const { signal } = new AbortController();
    let path = "";
    const settle = async () => {
      while (await watcher.look(signal)) clock.advance(REFUSE_TIME);
    };
    await settle();
    for (const bytes of packages) {
      path = `${this.drop}/file-${++this.#files}.tar.zst`;
      Deno.writeFileSync(path, bytes);
      await settle();
    }
    await watcher.run(AbortSignal.abort());
    const outcome = parseOutcome(store.records.getDrop(path)?.outcome);
    return outcome?.phase === "Rejected"
      ? `${outcome.reason}: ${outcome.message}`
      : `${outcome?.phase}`;
  }

  versions(): string[] {
    using store = Store.open(this.data);
    return store.records.listPackages().map((one) => `${one.name} ${one.version}`);
  }
}

const onNode = (action: (node: Node) => Promise<void>) =>
  withDirectory((dir) => action(new Node(dir)));

const again = version("1.0.0");
const back = { annotations: { [ALLOW_OLDER]: "true" } };
const cases: readonly (readonly [string, readonly Uint8Array[], RegExp])[] = [
  ["a newer version", [version("1.0.0"), version("1.1.0")], /^Accepted$/],
  [
    "an older version",
    [version("1.1.0"), version("1.0.0")],
    /^OlderVersion: .*1\.0\.0 is below 1\.1\.0/,
  ],
  ["the same file again", [again, again], /^Accepted$/],
  ["a superseded package", [again, version("2.0.0"), again], /^AlreadySuperseded: .* web 2\.0\.0/],
  [
    "an earlier build of the same version",
    [again, version("1.0.0", { build: "2" }), again],
    /^AlreadySuperseded: /,
  ],
  [
    "an older version that says that it may",
    [version("2.0.0"), version("1.0.0", back)],
    /^Accepted$/,
  ],
  [
    "a superseded package that says that it may",
    [version("1.0.0", back), version("2.0.0"), version("1.0.0", back)],
    /^Accepted$/,
  ],
  [
    "an older version with another value there",
    [version("2.0.0"), version("1.0.0", { annotations: { [ALLOW_OLDER]: "yes" } })],
    /^OlderVersion: /,
  ],
  [
    "an older version of another name",
    [version("2.0.0"), version("1.0.0", { name: "db" })],
    /^Accepted$/,
  ],
];

for (const [what, packages, answer] of cases) {
  Deno.test(`with keys ${what} is ${answer.source.includes("Accepted") ? "taken" : "refused"}`, () =>
    onNode(async (node) => {
      const last = await node.take(packages);
      assert.match(last, answer);
      if (last !== "Accepted") {
        assert.match(last, /nothing of the package was taken in; use a newer/);
      }
    }));
}

Deno.test("what was refused as older leaves nothing in the store but the refusal", () =>
  onNode(async (node) => {
    await node.take([version("2.0.0")]);
    const list = () => {
      using store = Store.open(node.data);
      return [...store.blobs.list()].sort().concat(
        [...Deno.readDirSync(`${node.data}/packages`)].map(({ name }) => `sha256:${name}` as const),
      );
    };
    const before = list();
    const other = version("1.0.0", { build: "with a file of its own" });
    assert.match(await node.take([other]), /^OlderVersion/);
    assert.deepEqual(list(), before);
    assert.deepEqual(node.versions(), ["web 2.0.0"]);
  }));

Deno.test("a database of yesterday put back does not let yesterday's package in", () =>
  onNode(async (node) => {
    await node.take([version("1.0.0")]);
    const saved = `${node.data}.db`;
    Deno.copyFileSync(`${node.data}/holdfast.db`, saved);
    await node.take([version("2.0.0")]);
    for (const file of ["-wal", "-shm", ""]) {
      await Deno.remove(`${node.data}/holdfast.db${file}`).catch(() => {});
    }
    Deno.copyFileSync(saved, `${node.data}/holdfast.db`);
    assert.match(await node.take([version("1.0.0")]), /^AlreadySuperseded/);
    assert.match(await node.take([version("1.5.0")]), /^OlderVersion/);
    assert.equal(await node.take([version("2.0.0", { build: "other" })]), "Accepted");
  }));

Deno.test("a store without its database still knows what is old", () =>
  onNode(async (node) => {
    await node.take([version("1.0.0"), version("2.0.0")]);
    for (const file of ["-wal", "-shm", ""]) {
      await Deno.remove(`${node.data}/holdfast.db${file}`).catch(() => {});
    }
    assert.match(await node.take([version("1.0.0")]), /^AlreadySuperseded/);
    assert.match(await node.take([version("1.5.0")]), /^OlderVersion/);
  }));

Deno.test("without keys any version is taken, and the ledger is not moved", () =>
  onNode(async (node) => {
    const unsigned = (text: string) => version(text, { by: null });
    assert.equal(await node.take([unsigned("9.0.0"), unsigned("1.0.0")], []), "Accepted");
    assert.equal(await node.take([version("9.9.9")], []), "Accepted");
    assert.equal(await node.take([version("1.0.0")]), "Accepted", "a stranger's 9.0.0 is no bar");
  }));

Deno.test("a refusal by the ledger holds with the same keys, and is thought over without", () =>
  onNode(async (node) => {
    assert.match(await node.take([version("2.0.0"), version("1.0.0")]), /^OlderVersion/);
    await node.take([], []);
    assert.deepEqual(node.versions(), ["web 2.0.0", "web 1.0.0"]);
  }));
