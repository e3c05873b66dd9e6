import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Database } from "./database.ts";
import { StoreError } from "./errors.ts";
import { permissions, withDirectory } from "./testing.ts";

async function withDatabase(action: (db: Database, path: string) => void): Promise<void> {
  await withDirectory((dir) => {
    const path = `${dir}/holdfast.db`;
    const db = Database.open(path);
    try {
      action(db, path);
    } finally {
      db.close();
    }
  });
}

const INSERT = "INSERT INTO key_values (key, value) VALUES (?, ?)";
const COUNT = "SELECT count(*) AS n FROM key_values";

for (
  const [pragma, value, why] of [
    ["journal_mode", "wal", "readers and the writer do not wait for each other"],
    ["synchronous", 2, "FULL: a commit that returned is on the disk"],
    ["foreign_keys", 1, "what an owner brought goes with it"],
    ["busy_timeout", 5_000, "another reader is waited for, not forever"],
  ] as const
) {
  Deno.test(`the database is opened with ${pragma} = ${value} (${why})`, () =>
    withDatabase((db) => {
      const row = db.get(`PRAGMA ${pragma}`) ?? {};
      assert.deepEqual(Object.values(row), [value]);
    }));
}

Deno.test("a database that others could read before is closed to them", () =>
  withDirectory((dir) => {
    const path = `${dir}/holdfast.db`;
    Deno.writeTextFileSync(path, "", { mode: 0o644 });
    Database.open(path).close();
    assert.equal(permissions(path), 0o600);
  }));

Deno.test("a transaction gives its value, and is there for another connection", () =>
  withDatabase((db, path) => {
    const changed = db.transaction(() => db.run(INSERT, "a", "1"));
    assert.equal(changed, 1);
    const other = new DatabaseSync(path, { readOnly: true });
    assert.equal(other.prepare(COUNT).get()?.["n"], 1);
    other.close();
  }));

Deno.test("a transaction that throws changes nothing, keeps its error, and lets the next begin", () =>
  withDatabase((db) => {
    const reason = new Error("the caller's own");
    const failing = () =>
      db.transaction(() => {
        db.run(INSERT, "a", "1");
        throw reason;
      });
    assert.throws(failing, (error) => error === reason);
    assert.equal(db.get(COUNT)?.["n"], 0);
    db.transaction(() => db.run(INSERT, "b", "1"));
    assert.equal(db.get(COUNT)?.["n"], 1);
  }));

Deno.test("a transaction within a transaction is refused, and the outer one is given up", () =>
  withDatabase((db) => {
    assert.throws(() =>
      db.transaction(() => {
        db.run(INSERT, "a", "1");
        db.transaction(() => {});
      }), StoreError);
    assert.equal(db.get(COUNT)?.["n"], 0);
  }));

Deno.test("values are values, whatever SQL they hold", () =>
  withDatabase((db) => {
    const text = `'); DROP TABLE key_values; -- "?"`;
    db.transaction(() => db.run(INSERT, text, text));
    assert.deepEqual({ ...db.get("SELECT key, value FROM key_values") }, {
      key: text,
      value: text,
    });
  }));

/** Each failure is SQLite's own, brought about for real. */
for (
  const [what, bringAbout, reason, disposition] of [
    [
      "a full disk",
      (db: Database) => {
        db.get(`PRAGMA max_page_count = ${db.get("PRAGMA page_count")?.["page_count"]}`);
        db.transaction(() => db.run(INSERT, "big", "x".repeat(1 << 20)));
      },
      "DiskFull",
      "wait",
    ],
    [
      "a read-only database",
      (db: Database) => {
        db.get("PRAGMA query_only = 1");
        db.transaction(() => db.run(INSERT, "a", "1"));
      },
      "ReadOnly",
      "wait",
    ],
  ] as const
) {
  Deno.test(`${what} is ${reason}, says what was kept, and leaves what was there`, () =>
    withDatabase((db) => {
      db.transaction(() => db.run(INSERT, "before", "1"));
      assert.throws(() => bringAbout(db), (error) => {
        assert.ok(error instanceof StoreError);
        assert.equal(error.reason, reason);
        assert.equal(error.disposition, disposition);
        assert.equal(error.kept, "what was recorded before is unchanged");
        assert.match(error.remedy ?? "", /tried again by itself/);
        assert.match(error.message, /^cannot use the database: /);
        return true;
      });
      assert.equal(db.get(COUNT)?.["n"], 1);
    }));
}

Deno.test("a database that another program holds is in use, and is no fault of the disk", () =>
  withDatabase((db, path) => {
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    db.get("PRAGMA busy_timeout = 0");
    assert.throws(() => db.transaction(() => db.run(INSERT, "a", "1")), (error) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.reason, "InUse");
      assert.equal(error.disposition, "wait");
      assert.equal(error.message, "cannot use the database: another program holds it");
      assert.match(error.remedy ?? "", /^let go of holdfast\.db/);
      return true;
    });
    other.exec("COMMIT");
    other.close();
    db.transaction(() => db.run(INSERT, "a", "1"));
    assert.equal(db.get(COUNT)?.["n"], 1);
  }));

for (
  const [what, at] of [["the first page", 100], ["a page of a table", 4_096]] as const
) {
  Deno.test(`damage in ${what} is DatabaseCorrupt, for good, and says that blobs are kept`, () =>
    withDirectory((dir) => {
      const path = `${dir}/holdfast.db`;
      Database.open(path).close();
      const bytes = Deno.readFileSync(path);
      Deno.writeFileSync(path, bytes.fill(0xff, at, at + 2_000));
      const read = () => {
        const db = Database.open(path);
        try {
          db.all("SELECT * FROM owners");
          db.transaction(() => db.run(INSERT, "a", "1"));
          db.all("PRAGMA table_info(owners)");
        } finally {
          db.close();
        }
      };
      assert.throws(read, (error) => {
        assert.ok(error instanceof StoreError);
        assert.equal(error.reason, "DatabaseCorrupt");
        assert.equal(error.disposition, "terminal");
        assert.match(error.remedy ?? "", /move holdfast\.db away.*the blobs are kept/);
        return true;
      });
    }));
}

for (
  const [what, spoil] of [
    ["is newer", (path: string) => {
      const db = new DatabaseSync(path);
      db.exec("PRAGMA user_version = 99");
      db.close();
    }],
    ["is no database", (path: string) => Deno.writeTextFileSync(path, "no database".repeat(500))],
  ] as const
) {
  Deno.test(`a file that ${what} is not held open after it was refused`, () =>
    withDirectory((dir) => {
      const path = `${dir}/holdfast.db`;
      Database.open(path).close();
      spoil(path);
      for (let attempt = 0; attempt < 3; attempt++) {
        assert.throws(() => Database.open(path), StoreError);
        const held = [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
          try {
            return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(path);
          } catch {
            return false;
          }
        });
        assert.deepEqual(held, []);
      }
    }));
}

Deno.test("a directory in the database's place is told, and stays", () =>
  withDirectory((dir) => {
    Deno.mkdirSync(`${dir}/holdfast.db`);
    assert.throws(() => Database.open(`${dir}/holdfast.db`), (error) =>
      error instanceof StoreError && error.message.startsWith("cannot open the database: "));
    assert.ok(Deno.statSync(`${dir}/holdfast.db`).isDirectory);
  }));

Deno.test("a statement that is wrong is an error of the store with its cause", () =>
  withDatabase((db) => {
    for (const sql of ["SELECT nothing FROM nowhere", "INSERT INTO owners VALUES (1)"]) {
      assert.throws(
        () => db.all(sql),
        (error) => error instanceof StoreError && error.cause instanceof Error,
      );
    }
  }));
