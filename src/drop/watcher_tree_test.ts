import assert from "node:assert/strict";
import { type Stage, staged, stagedInTime } from "../../test/fakes/drop_stage.ts";
import {
  buildPackage,
  packageEntries,
  type PackageSpec,
} from "../../test/fixtures/make_package.ts";
import { splitPackage } from "../../test/fixtures/split_package.ts";
import type { TarEntrySpec } from "../../test/fixtures/tar_writer.ts";
import { unpackPackage, writeEntry } from "../../test/fixtures/unpack_package.ts";
import { REFUSE_TIME, SETTLE_TIME, SETTLE_TIME_AGAIN } from "./settle.ts";

const SPEC: PackageSpec = {
  name: "web",
  images: [{ reference: "docker.io/library/web:1", layers: ["one layer", "another layer"] }],
  components: [{
    // A component may be named as packages are.
    name: "zarf-package-web",
    images: ["docker.io/library/web:1"],
    files: { "manifests/web-0.yaml": "kind: ConfigMap" },
  }],
  files: { "sboms.tar": "sboms", "documentation.tar": "documentation" },
};

/** The same order for the same seed. */
function shuffled<T>(values: readonly T[], seed: number): T[] {
  let state = seed;
  const keyed = values.map((value) => {
    state = (state * 48_271) % 2_147_483_647;
    return [state, value] as const;
  });
  return keyed.sort(([a], [b]) => a - b).map(([, value]) => value);
}

/** Every path that something was said of, below the drop directory. */
function paths(stage: Stage): string[] {
  return [...new Set(stage.seen.map(({ path }) => path.slice(stage.drop.length + 1)))].sort();
}

function phases(stage: Stage, name: string): string[] {
  return [...new Set(stage.said(name).map((one) => one.split(" ")[0] ?? ""))];
}

for (const folder of ["web", "sticks/first/web"]) {
  Deno.test(`an unpacked package in ${folder} is taken in as the archive would be`, () =>
    staged(async (stage) => {
      unpackPackage(`${stage.drop}/${folder}`, SPEC);
      await stage.lookLong();
      assert.equal(stage.last(folder).phase, "Accepted");
      assert.deepEqual(paths(stage), [folder]);
      stage.put("archive.tar.zst", buildPackage(SPEC));
      await stage.lookLong();
      assert.deepEqual(stage.last("archive.tar.zst"), stage.last(folder), "the same digest");
      const [record] = stage.store.records.listPackages();
      assert.deepEqual([record?.name, record?.fileName], ["web", "archive.tar.zst"]);
    }));
}

for (let seed = 1; seed <= 5; seed++) {
  Deno.test(`a directory that is copied slowly is taken in when it is whole (${seed})`, () =>
    staged(async (stage) => {
      for (const entry of shuffled<TarEntrySpec>(packageEntries(SPEC), seed)) {
        await stage.look(SETTLE_TIME - 1);
        writeEntry(`${stage.drop}/in/web`, entry);
      }
      await stage.look();
      await stage.look(SETTLE_TIME_AGAIN);
      assert.equal(stage.last("in/web").phase, "Accepted");
      assert.deepEqual(paths(stage), ["in/web"], "no part of it is taken for a package");
      assert.deepEqual(phases(stage, "web"), ["Receiving", "Accepted"]);
    }));

  Deno.test(`a directory that is copied with long pauses is taken in at the end (${seed})`, () =>
    staged(async (stage) => {
      for (const entry of shuffled<TarEntrySpec>(packageEntries(SPEC), seed)) {
        await stage.lookLong();
        writeEntry(`${stage.drop}/in/web`, entry);
      }
      await stage.lookLong();
      assert.equal(stage.last("in/web").phase, "Accepted");
      assert.deepEqual(paths(stage), ["in/web"]);
      for (const one of stage.said("web")) {
        assert.match(
          one,
          /^(Receiving (BeingCopied|Reading|\w*Missing\w*)|Rejected Missing\w+|Accepted)$/,
        );
      }
    }));
}

Deno.test("a directory with a file too many is refused by its name, and taken when that is gone", () =>
  staged(async (stage) => {
    unpackPackage(`${stage.drop}/web`, SPEC);
    stage.put("web/images/Thumbs.db", new Uint8Array(10));
    await stage.lookLong();
    const outcome = stage.last("web");
    assert(outcome.phase === "Rejected", outcome.phase);
    assert.equal(outcome.reason, "UnlistedFile");
    assert.match(outcome.message, /^images\/Thumbs\.db: is in the package/);
    stage.assertUntouched();
    Deno.removeSync(`${stage.drop}/web/images/Thumbs.db`);
    await stage.lookLong();
    assert.equal(stage.last("web").phase, "Accepted");
  }));

Deno.test("an agent that starts anew knows what it made of a directory, until that changes", () =>
  staged(async (stage) => {
    unpackPackage(`${stage.drop}/web`, SPEC);
    await stage.lookLong();
    stage.seen.length = 0;
    const again = stage.another();
    assert.equal(await stage.look(0, again), false);
    assert.deepEqual(stage.said("web"), ["Accepted"]);
    stage.put("web/sboms.tar", new TextEncoder().encode("SBOMS"));
    await stage.lookLong(again);
    assert.equal(stage.said("web").at(-1), "Rejected ChecksumMismatch");
    await again.run(AbortSignal.abort());
  }));

Deno.test("a directory that is removed slowly leaves what was taken in, and its verdict", () =>
  staged(async (stage) => {
    unpackPackage(`${stage.drop}/web`, SPEC);
    await stage.lookLong();
    const accepted = stage.seen.at(-1);
    for (const name of ["components", "images", "sboms.tar", "checksums.txt", "zarf.yaml"]) {
      Deno.removeSync(`${stage.drop}/web/${name}`, { recursive: true });
      await stage.look(SETTLE_TIME - 1);
    }
    assert.deepEqual(stage.seen.at(-1), accepted);
    assert(stage.said("web").length > 3, "something was said in between");
  }));

Deno.test("links in it are refused, and a link to it is left alone", () =>
  staged(async (stage) => {
    unpackPackage(`${stage.dir}/aside/web`, SPEC);
    Deno.symlinkSync(`${stage.dir}/aside/web`, `${stage.drop}/linked`);
    unpackPackage(`${stage.drop}/web`, SPEC);
    Deno.removeSync(`${stage.drop}/web/sboms.tar`);
    Deno.symlinkSync(`${stage.dir}/aside/web/sboms.tar`, `${stage.drop}/web/sboms.tar`);
    await stage.lookLong();
    const outcome = stage.last("web");
    assert(outcome.phase === "Rejected", outcome.phase);
    assert.equal(outcome.reason, "UnsupportedEntry");
    assert.deepEqual(paths(stage), ["web"]);
  }));

Deno.test("a file, parts and a directory of one package are one package", () =>
  staged(async (stage) => {
    const bytes = buildPackage(SPEC);
    stage.put("a.tar.zst", bytes);
    for (const [name, part] of splitPackage("b.tar.zst", bytes, 1_000)) stage.put(name, part);
    unpackPackage(`${stage.drop}/c`, SPEC);
    stage.put("d/zarf-package-web-amd64-1.0.0.tar", buildPackage({ ...SPEC, format: "tar" }));
    await stage.look();
    await stage.look(SETTLE_TIME);
    const names = ["a.tar.zst", "b.tar.zst", "c", "d/zarf-package-web-amd64-1.0.0.tar"];
    const outcomes = names.map((name) => stage.last(name));
    for (const outcome of outcomes) assert.deepEqual(outcome, outcomes[0]);
    assert.equal(outcomes[0]?.phase, "Accepted");
    assert.equal(stage.store.records.listPackages().length, 1);
    const accepted = stage.seen.filter(({ outcome }) => outcome.phase === "Accepted");
    assert.deepEqual(accepted.map(({ path }) => path.slice(stage.drop.length + 1)), names);
  }));

const LARGE: PackageSpec = {
  name: "large",
  images: [{
    reference: "docker.io/library/large:1",
    layers: [{ size: 30_000_000, seed: 1 }, { size: 30_000_000, seed: 2 }],
  }],
};

const accidents: readonly [string, (stage: Stage) => void, string][] = [
  ["is removed", (stage) => Deno.removeSync(`${stage.drop}/web/zarf.yaml`), "FileRemoved"],
  [
    "grows",
    (stage) => Deno.writeTextFileSync(`${stage.drop}/web/zarf.yaml`, "# more\n", { append: true }),
    "FileChanged",
  ],
];

for (const [what, change, reason] of accidents) {
  Deno.test(`a file of it that ${what} while others are read is no fault of the package`, () =>
    stagedInTime(async (stage) => {
      unpackPackage(`${stage.drop}/web`, LARGE);
      const definition = Deno.readFileSync(`${stage.drop}/web/zarf.yaml`);
      await stage.look();
      stage.onProgress("web", () => change(stage));
      await stage.look(SETTLE_TIME);
      if (stage.last("web").phase === "Accepted") return "late";
      assert.equal(stage.said("web").at(-1), `Receiving ${reason}`);
      stage.assertUntouched();
      stage.put("web/zarf.yaml", definition);
      await stage.look(REFUSE_TIME);
      await stage.look(SETTLE_TIME_AGAIN);
      assert.equal(stage.last("web").phase, "Accepted");
      assert(!phases(stage, "web").includes("Rejected"));
    }));
}

Deno.test("its progress is never more than all of it, however long its names are", () =>
  staged(async (stage) => {
    // Their headers have many more bytes than they have.
    const folder = `${stage.drop}/web/${`${"d".repeat(240)}/`.repeat(4)}`;
    Deno.mkdirSync(folder, { recursive: true });
    for (let at = 0; at < 2_200; at++) Deno.writeTextFileSync(folder + at, "");
    unpackPackage(`${stage.drop}/web`, SPEC);
    await stage.lookLong();
    assert.equal(stage.said("web").at(-1), "Rejected UnlistedFile");
    const reading = stage.seen.filter(({ outcome }) =>
      outcome.phase === "Receiving" && outcome.reason === "Reading" && outcome.bytes > 0
    );
    assert.equal(reading.length, 1, "one step of it");
    const [{ outcome, size } = assert.fail()] = reading;
    assert(outcome.phase === "Receiving");
    assert.equal(outcome.bytes, size);
  }));
