import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Stage, staged, stagedInTime } from "../../test/fakes/drop_stage.ts";
import { withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { Store } from "../store/mod.ts";
import { parseOutcome } from "./outcome.ts";
import { MAX_DEPTH } from "./scan.ts";
import { REFUSE_TIME, SETTLE_TIME, SETTLE_TIME_AGAIN } from "./settle.ts";

const nameOf = (version: string) => `zarf-package-web-amd64-${version}.tar.zst`;
const packageOf = (version: string) => buildPackage({ name: "web", version });

function versions(stage: Stage): string[] {
  return stage.store.records.listPackages().map(({ version }) => version).sort();
}

Deno.test("packages are taken in from every folder that is looked into, in the order of paths", () =>
  staged(async (stage) => {
    const places: string[] = [];
    for (let depth = 0; depth <= MAX_DEPTH + 1; depth++) {
      const place = `${"folder/".repeat(depth)}${nameOf(`${depth}.0.0`)}`;
      places.push(place);
      stage.put(place, packageOf(`${depth}.0.0`));
    }
    await stage.look();
    await stage.look(SETTLE_TIME);
    const accepted = stage.seen.filter(({ outcome }) => outcome.phase === "Accepted")
      .map(({ path }) => path.slice(stage.drop.length + 1));
    assert.deepEqual(accepted, places.slice(0, MAX_DEPTH + 1).sort());
    assert.equal(versions(stage).length, MAX_DEPTH + 1, "the deepest one is not");
    assert(!stage.seen.some(({ path }) => path.endsWith(nameOf(`${MAX_DEPTH + 1}.0.0`))));
  }));

Deno.test("what else lies on a stick is passed over without a word", () =>
  staged(async (stage) => {
    const bytes = packageOf("1.0.0");
    const folders = ["System Volume Information", "lost+found", ".Trash-0", "$RECYCLE.BIN"];
    for (const folder of folders) stage.put(`${folder}/${nameOf("1.0.0")}`, bytes);
    stage.put("photos/holiday.tar", bytes);
    stage.put("photos/notes.txt", bytes);
    stage.put("source/zarf.yaml", new TextEncoder().encode("kind: ZarfPackageConfig"));
    assert.equal(await stage.look(), false);
    await stage.look(REFUSE_TIME);
    assert.deepEqual([stage.seen, stage.log.lines], [[], []]);
  }));

Deno.test("a package that moves to another folder, or lies in two, is one package", () =>
  staged(async (stage) => {
    stage.put(`a/${nameOf("1.0.0")}`, packageOf("1.0.0"));
    stage.put(`b/c/${nameOf("1.0.0")}`, packageOf("1.0.0"));
    await stage.lookLong();
    Deno.renameSync(`${stage.drop}/a`, `${stage.drop}/d`);
    await stage.lookLong();
    for (const folder of ["a", "b/c", "d"]) {
      assert.equal(stage.last(`${folder}/${nameOf("1.0.0")}`).phase, "Accepted");
    }
    assert.deepEqual(versions(stage), ["1.0.0"]);
  }));

Deno.test("several packages at once each come to their own end", () =>
  staged(async (stage) => {
    stage.put(nameOf("1.0.0"), packageOf("1.0.0"));
    stage.put(nameOf("2.0.0"), packageOf("2.0.0").subarray(0, 500));
    stage.put(`more/${nameOf("3.0.0")}`, packageOf("3.0.0"));
    stage.put(`more/${nameOf("4.0.0")}`, new Uint8Array());
    stage.put(`more/${nameOf("5.0.0")}.part001`, new Uint8Array(10));
    stage.put("init/zarf-init-amd64-v0.84.0.tar.zst", packageOf("6.0.0"));
    await stage.lookLong();
    const ends = [
      [nameOf("1.0.0"), "Accepted"],
      [nameOf("2.0.0"), "Rejected Truncated"],
      [nameOf("3.0.0"), "Accepted"],
      [nameOf("4.0.0"), "Rejected EmptyFile"],
      [nameOf("5.0.0"), "Receiving PartsMissing"],
      ["zarf-init-amd64-v0.84.0.tar.zst", "Accepted"],
    ] as const;
    for (const [name, end] of ends) assert.equal(stage.said(name).at(-1), end, name);
    assert.deepEqual(versions(stage), ["1.0.0", "3.0.0", "6.0.0"]);
  }));

Deno.test("a newer file that takes the place of one that is being read is taken in as well", () =>
  staged(async (stage) => {
    const large = (version: string) =>
      buildPackage({
        name: "large",
        version,
        format: "tar",
        images: [{
          reference: "docker.io/library/large:1",
          layers: [{ size: 30_000_000, seed: Number(version[0]) }],
        }],
      });
    stage.put("large.tar", large("1.0.0"));
    await stage.look();
    stage.onProgress("large.tar", () => {
      stage.put(".large.tar", large("2.0.0"));
      Deno.renameSync(`${stage.drop}/.large.tar`, `${stage.drop}/large.tar`);
    });
    assert.equal(await stage.look(SETTLE_TIME), false, "the old one was read to its end");
    assert.deepEqual(versions(stage), ["1.0.0"]);
    await stage.look();
    await stage.look(SETTLE_TIME);
    const newest = stage.store.records.listPackages().toSorted((a, b) => b.sequence - a.sequence);
    assert.deepEqual(newest.map(({ version }) => version), ["2.0.0", "1.0.0"]);
    assert(!stage.said("large.tar").some((one) => one.startsWith("Rejected")));
  }));

Deno.test("a file that is removed while it is read is taken in, one that is cut off is not", () =>
  stagedInTime(async (stage) => {
    const large = buildPackage({
      name: "large",
      format: "tar",
      images: [{
        reference: "docker.io/library/large:1",
        layers: [{ size: 60_000_000, seed: 1 }],
      }],
    });
    const path = `${stage.drop}/large.tar`;
    stage.put("large.tar", large);
    await stage.look();
    stage.onProgress("large.tar", () => Deno.truncateSync(path, 50_000_000));
    await stage.look(SETTLE_TIME);
    if (stage.last("large.tar").phase === "Accepted") return "late";
    assert.equal(stage.said("large.tar").at(-1), "Receiving FileChanged");
    stage.assertUntouched();
    stage.put("large.tar", large);
    await stage.look();
    stage.onProgress("large.tar", () => Deno.removeSync(path));
    await stage.look(SETTLE_TIME_AGAIN);
    assert.equal(stage.last("large.tar").phase, "Accepted");
    assert.equal(await stage.look(), false);
  }));

const CHILD = fileURLToPath(import.meta.resolve("./watcher_test_child.ts"));

Deno.test({
  name: "a folder that cannot be read does not keep the others from being looked at",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withDirectory(async (dir) => {
      for (const folder of ["a", "b", "c"]) {
        Deno.mkdirSync(`${dir}/drop/${folder}`, { recursive: true });
      }
      Deno.writeFileSync(`${dir}/drop/a/${nameOf("1.0.0")}`, packageOf("1.0.0"));
      Deno.writeFileSync(`${dir}/drop/b/${nameOf("2.0.0")}`, packageOf("2.0.0"));
      Deno.writeFileSync(`${dir}/drop/c/${nameOf("3.0.0")}`, packageOf("3.0.0"));
      Deno.chmodSync(`${dir}/drop/b`, 0o000);
      try {
        // Not even a superuser may read it without these.
        const caps = "-dac_override,-dac_read_search";
        const dropping = Deno.uid() === 0 ? ["setpriv", `--bounding-set=${caps}`] : ["env"];
        const [program = "", ...args] = [...dropping, Deno.execPath(), "run", "-A", "--no-check"];
        const child = await new Deno.Command(program, {
          args: [...args, CHILD, `${dir}/data`, `${dir}/drop`],
          stderr: "piped",
        }).output();
        const said = new TextDecoder().decode(child.stderr);
        assert.equal(child.code, 0, said);
        assert.match(said, /warn +something cannot be looked at: .*denied.*path=\S*\/drop\/b/i);
      } finally {
        Deno.chmodSync(`${dir}/drop/b`, 0o700);
      }
      using store = Store.open(`${dir}/data`);
      const taken = store.records.listPackages().map(({ version }) => version).sort();
      assert.deepEqual(taken, ["1.0.0", "3.0.0"]);
      const phases = store.records.listDrops().map(({ outcome }) => parseOutcome(outcome)?.phase);
      assert.deepEqual(phases, ["Accepted", "Accepted"]);
    }),
});
