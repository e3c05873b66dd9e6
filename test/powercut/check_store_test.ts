import { digestOf } from "../../src/std/mod.ts";
import { checkBlobs, checkStore, checkUnfinished } from "./check_store.ts";
import type { Finding } from "./findings.ts";
import {
  blobAt,
  type Damage,
  filesAt,
  findDamage,
  inDatabase,
  overwrite,
  ownLayer,
  type Scene,
} from "./scene.ts";

const STORE_DAMAGE: readonly Damage[] = [
  { name: "nothing is wrong", damage: () => {}, rules: [] },
  {
    name: "a record is gone, its blobs and files are there",
    damage: (scene) =>
      inDatabase(scene, `DELETE FROM owners WHERE owner = '${scene.packages[2].digest}'`),
    rules: ["RecordLost"],
    names: ({ packages }) => packages[2].file,
  },
  {
    name: "an older package is gone whole, a newer one of its name is there",
    damage: (scene) => {
      inDatabase(
        scene,
        `PRAGMA foreign_keys = ON; DELETE FROM owners WHERE owner =
        '${scene.packages[0].digest}'`,
      );
      Deno.removeSync(filesAt(scene, scene.packages[0]), { recursive: true });
      Deno.removeSync(blobAt(scene, ownLayer(scene, scene.packages[0])));
    },
    rules: [],
  },
  {
    name: "the database is gone",
    damage: ({ dir }) => Deno.removeSync(`${dir}/holdfast.db`),
    rules: ["RecordLost", "RecordLost", "RecordLost"],
  },
  {
    name: "the database is no database",
    damage: ({ dir }) => overwrite(`${dir}/holdfast.db`, "x".repeat(8192)),
    rules: ["DatabaseDamaged", "RecordLost", "RecordLost", "RecordLost"],
  },
  {
    name: "a row of the database is against its rules",
    damage: (scene) =>
      inDatabase(
        scene,
        `PRAGMA ignore_check_constraints = ON;
        INSERT INTO clean_stop (id) VALUES (2)`,
      ),
    rules: ["DatabaseDamaged"],
    names: () => "clean_stop",
  },
  {
    name: "a record points at nothing",
    damage: (scene) =>
      inDatabase(
        scene,
        `PRAGMA foreign_keys = OFF;
        INSERT INTO blob_references (owner, digest, size) VALUES ('nobody', 'sha256:0', 1)`,
      ),
    rules: ["DatabaseDamaged"],
  },
  {
    name: "a package was recorded that nobody dropped",
    damage: (scene) =>
      inDatabase(
        scene,
        `PRAGMA foreign_keys = OFF;
        UPDATE packages SET digest = 'sha256:0' WHERE digest = '${scene.packages[0].digest}'`,
      ),
    rules: ["DatabaseDamaged", "RecordUnknown"],
    names: () => "sha256:0",
  },
  {
    name: "a blob is gone",
    damage: (scene) => Deno.removeSync(blobAt(scene, ownLayer(scene, scene.packages[2]))),
    rules: ["BlobLost"],
    names: (scene) => ownLayer(scene, scene.packages[2]),
  },
  {
    name: "a blob is empty",
    damage: (scene) => overwrite(blobAt(scene, ownLayer(scene, scene.packages[2])), ""),
    rules: ["BlobDamaged"],
    names: () => "(0 bytes)",
  },
  {
    name: "a blob of the right size has a wrong byte",
    damage: (scene) => {
      const path = blobAt(scene, ownLayer(scene, scene.packages[2]));
      const bytes = Deno.readFileSync(path);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      overwrite(path, bytes);
    },
    rules: ["BlobDamaged"],
  },
  {
    name: "a blob that no package asked for has another name",
    damage: ({ dir }) => {
      Deno.mkdirSync(`${dir}/blobs/sha256/zz`);
      Deno.writeTextFileSync(`${dir}/blobs/sha256/zz/unfinished`, "x");
    },
    rules: ["BlobDamaged"],
    names: () => "zz/unfinished",
  },
  {
    name: "a whole blob that no package asked for",
    damage: (scene) => {
      const path = blobAt(scene, digestOf("left over"));
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(path, "left over");
    },
    rules: [],
  },
  {
    name: "a file of a package is gone",
    damage: (scene) => Deno.removeSync(`${filesAt(scene, scene.packages[2])}/checksums.txt`),
    rules: ["FileLost"],
    names: ({ packages }) => `checksums.txt of ${packages[2].file}`,
  },
  {
    name: "a file of a package is torn",
    damage: (scene) => overwrite(`${filesAt(scene, scene.packages[2])}/checksums.txt`, ""),
    rules: ["FileDamaged"],
  },
  {
    name: "a verdict is torn",
    damage: ({ dir }) => overwrite(`${dir}/status/a.tar.status.json`, '{"kind":"Pack'),
    rules: ["VerdictTorn"],
    names: () => "a.tar.status.json",
  },
];

function looked(scene: Scene): Finding[] {
  const known = new Map(scene.packages.map((one) => [one.digest, one]));
  return checkStore(scene.dir, { acknowledged: new Set(known.keys()), known });
}

Deno.test("a look at a store finds every kind of damage, and none where there is none", (t) =>
  findDamage(t, STORE_DAMAGE, looked));

Deno.test("a look at a running agent's directory finds bad blobs and what is unfinished", (t) =>
  findDamage(t, [
    { name: "nothing is wrong", damage: () => {}, rules: [] },
    {
      name: "a blob is torn and a file was not finished",
      damage: (scene) => {
        overwrite(blobAt(scene, ownLayer(scene, scene.packages[2])), "torn");
        Deno.mkdirSync(`${scene.dir}/tmp/ingest`);
      },
      rules: ["BlobDamaged", "Unfinished"],
      names: () => "tmp/ingest",
    },
  ], ({ dir }) => [...checkBlobs(dir), ...checkUnfinished(dir)]));
