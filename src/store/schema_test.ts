import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "./errors.ts";
import { migrate, SCHEMA_VERSION } from "./schema.ts";

function versionOf(db: DatabaseSync): unknown {
  return db.prepare("PRAGMA user_version").get()?.["user_version"];
}

function tablesOf(db: DatabaseSync): unknown[] {
  return db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
    .map((row) => row["name"]).filter((name) => !String(name).startsWith("sqlite_"));
}

Deno.test("an empty database is brought to this program's version", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db);
  assert.equal(versionOf(db), SCHEMA_VERSION);
  assert.deepEqual(tablesOf(db), [
    "blob_references",
    "clean_stop",
    "drops",
    "image_names",
    "images",
    "journal",
    "key_values",
    "ledger",
    "manifests",
    "marked_blobs",
    "owners",
    "packages",
  ]);
});

Deno.test("a database of the first version keeps its packages, signed by nobody known", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db);
  db.exec(`
    ALTER TABLE packages DROP COLUMN signed_by;
    ALTER TABLE packages DROP COLUMN pruned;
    DROP TABLE ledger;
    PRAGMA user_version = 1;
    INSERT INTO owners (owner, is_package) VALUES ('a', 1);
    INSERT INTO packages VALUES ('a', 'web', '1', '', '', '', 'Unverified', '', '', 1, '', '', '[]');
  `);
  migrate(db);
  assert.equal(versionOf(db), SCHEMA_VERSION);
  const found = db.prepare("SELECT name, signature, signed_by FROM packages").all();
  assert.deepEqual(found.map((row) => ({ ...row })), [
    { name: "web", signature: "Unverified", signed_by: null },
  ]);
});

Deno.test("a database of this version is not touched", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db);
  db.exec("DELETE FROM clean_stop; INSERT INTO key_values (key, value) VALUES ('a', '1');");
  const changes = db.prepare("SELECT total_changes() AS n").get()?.["n"];
  migrate(db);
  assert.equal(db.prepare("SELECT total_changes() AS n").get()?.["n"], changes);
  assert.equal(db.prepare("SELECT count(*) AS n FROM clean_stop").get()?.["n"], 0);
});

Deno.test("a database one version newer is refused with both versions, and not touched", () => {
  using db = new DatabaseSync(":memory:");
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  assert.throws(() => migrate(db), (error) => {
    assert.ok(error instanceof StoreError);
    assert.equal(error.reason, "DatabaseTooNew");
    assert.equal(error.disposition, "terminal");
    assert.match(error.message, new RegExp(`version ${SCHEMA_VERSION + 1}.*${SCHEMA_VERSION}$`));
    assert.match(error.remedy ?? "", /newer program/);
    return true;
  });
  assert.deepEqual(tablesOf(db), []);
});

Deno.test("a migration that fails in the middle is as if it had not begun", () => {
  using db = new DatabaseSync(":memory:");
  // One of the tables is there already, which the program never leaves behind.
  db.exec("CREATE TABLE journal (id INTEGER)");
  assert.throws(() => migrate(db), /journal/);
  db.exec("ROLLBACK");
  assert.equal(versionOf(db), 0);
  assert.deepEqual(tablesOf(db), ["journal"]);
});

for (
  const [what, statement] of [
    ["a text where a number belongs", "INSERT INTO owners (owner, is_package) VALUES ('a', 'yes')"],
    ["an owner twice", "INSERT INTO owners (owner, is_package) VALUES ('seed', 0), ('seed', 1)"],
    [
      "an image of nobody",
      "INSERT INTO images (owner, position, image) VALUES ('nobody', 0, '{}')",
    ],
    ["a second clean mark", "INSERT INTO clean_stop (id) VALUES (2)"],
    ["a value without a key", "INSERT INTO key_values (key, value) VALUES (NULL, '1')"],
  ] as const
) {
  Deno.test(`${what} is refused by the database itself`, () => {
    using db = new DatabaseSync(":memory:");
    db.exec("PRAGMA foreign_keys = ON");
    migrate(db);
    assert.throws(() => db.exec(statement));
  });
}

Deno.test("what an owner brought goes with it, and nothing of another's", () => {
  using db = new DatabaseSync(":memory:");
  db.exec("PRAGMA foreign_keys = ON");
  migrate(db);
  for (const owner of ["a", "b"]) {
    db.exec(`
      INSERT INTO owners (owner, is_package) VALUES ('${owner}', 1);
      INSERT INTO packages
        (digest, name, version, architecture, kind, state, signature, accepted_at, file_name, bytes)
        VALUES ('${owner}', 'n', '', '', '', '', '', '', '', 1);
      INSERT INTO images VALUES ('${owner}', 0, '{}');
      INSERT INTO image_names VALUES ('${owner}', 'h', 'r', 't', 'd', 'm');
      INSERT INTO manifests (owner, digest, media_type, size) VALUES ('${owner}', 'd', 'm', 1);
      INSERT INTO blob_references VALUES ('${owner}', 'd', 1);
    `);
  }
  db.exec("DELETE FROM owners WHERE owner = 'a'");
  for (const table of ["images", "image_names", "manifests", "blob_references"]) {
    const owners = db.prepare(`SELECT owner FROM ${table}`).all().map((row) => row["owner"]);
    assert.deepEqual(owners, ["b"], table);
  }
  assert.deepEqual(db.prepare("SELECT digest FROM packages").all().map((row) => row["digest"]), [
    "b",
  ]);
});
