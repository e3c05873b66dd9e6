import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { digestHex } from "../../src/std/mod.ts";
import { run } from "../cluster/run.ts";
import type { PackageSpec } from "../fixtures/make_package.ts";
import type { Finding, Rule } from "./findings.ts";
import { LinkSubject } from "./link_subject.ts";
import { type GoodPackage, writeGood } from "./packages.ts";

/** What there is to damage. */
export interface Scene {
  /** A data directory that a program has left in order. */
  readonly dir: string;
  /** What is in it: two versions of a name, the older one first, and another one. */
  readonly packages: readonly [GoodPackage, GoodPackage, GoodPackage];
}

function specOf(name: string, version: string): PackageSpec {
  const layers = ["in all of them\n", `of ${name}\n`, { size: 5_000, seed: name.length }, version];
  const reference = `docker.io/library/${name}:${version}`;
  return { name, version, images: [{ reference, layers: [...layers, `${name} ${version}`] }] };
}

/** A real store with three packages, linked into a registry's storage. */
async function makeScene(directory: string): Promise<Scene> {
  const packages = [
    await writeGood(directory, specOf("apple", "1.0.0")),
    await writeGood(directory, specOf("apple", "1.1.0")),
    await writeGood(directory, specOf("birch", "1.0.0")),
  ] as const;
  const dir = `${directory}/data`;
  const byFile = new Map(packages.map((one) => [one.file, one]));
  await using subject = new LinkSubject({ dataDir: dir, packages: byFile });
  for (const { file, path } of packages) await Deno.copyFile(path, `${subject.dropDir}/${file}`);
  subject.start();
  const { accepted } = await subject.settle([...byFile.keys()]);
  assert.equal(accepted.size, packages.length);
  assert.deepEqual(await subject.checkRunning(), []);
  await subject.stop();
  await Deno.mkdir(`${dir}/status`);
  await Deno.writeTextFile(`${dir}/status/a.tar.status.json`, '{"kind":"PackageStatus"}');
  return { dir, packages };
}

/** The path of a blob. */
export const blobAt = ({ dir }: Scene, digest: string) =>
  `${dir}/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}`;
/** The directory of a package's files. */
export const filesAt = ({ dir }: Scene, { digest }: GoodPackage) =>
  `${dir}/packages/${digestHex(digest)}`;

/** A layer that only this package has. */
export function ownLayer({ packages }: Scene, owner: GoodPackage): string {
  const others = packages.filter((one) => one !== owner);
  const own = [...owner.blobs].find((blob) => others.every(({ blobs }) => !blobs.has(blob)));
  return own ?? assert.fail("it has none");
}

/** Writes other bytes to a path, to no other name of the file. */
export function overwrite(path: string, bytes: Uint8Array | string): void {
  Deno.removeSync(path);
  Deno.writeFileSync(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
}

export function inDatabase({ dir }: Scene, sql: string): void {
  const db = new DatabaseSync(`${dir}/holdfast.db`);
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}

/** A way to break a scene, and what has to be found then. */
export interface Damage {
  readonly name: string;
  readonly damage: (scene: Scene) => void;
  /** Every rule that is found broken. */
  readonly rules: readonly Rule[];
  /** What one of the findings names. */
  readonly names?: (scene: Scene) => string;
}

/** Makes a scene, damages a copy of it for each case, and gives it to `look`. */
export async function findDamage(
  t: Deno.TestContext,
  cases: readonly Damage[],
  look: (scene: Scene) => readonly Finding[] | Promise<readonly Finding[]>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "holdfast-check-" });
  try {
    const whole = await makeScene(directory);
    for (const { name, damage, rules, names } of cases) {
      await t.step(name, async () => {
        const scene = { ...whole, dir: `${directory}/${crypto.randomUUID()}` };
        // With its hard links.
        await run("cp", ["--archive", whole.dir, scene.dir]);
        damage(scene);
        const found = await look(scene);
        const expected = [...rules].sort();
        assert.deepEqual(found.map(({ rule }) => rule).sort(), expected, JSON.stringify(found));
        const named = names?.(scene) ?? "";
        assert.ok(rules.length === 0 || found.some(({ what }) => what.includes(named)), named);
      });
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
