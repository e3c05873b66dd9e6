import assert from "node:assert/strict";
import { newPackage } from "../../test/fakes/records.ts";
import { withDirectory } from "../../test/fakes/testing.ts";
import type { DropOutcome, DroppedFile } from "../drop/mod.ts";
import { digestOf } from "../std/mod.ts";
import { type PackageState, Store } from "../store/mod.ts";
import { VerdictBook, verdictOf } from "./verdicts.ts";

const digest = digestOf("web");
const added = newPackage({ digest, bytes: 100 });

function file(outcome: DropOutcome, path = "/drop/web.tar.zst"): DroppedFile {
  return { path, size: 100, mtimeNs: 1n, inode: 2n, outcome };
}

const accepted: DropOutcome = { phase: "Accepted", digest };

function withStore(action: (store: Store) => void): Promise<void> {
  return withDirectory((dir) => {
    using store = Store.open(dir);
    action(store);
  });
}

Deno.test("a file that is received says how far it is", () => {
  const message = "the package is being read and verified";
  const outcome: DropOutcome = { phase: "Receiving", reason: "Reading", message, bytes: 40 };
  assert.deepEqual(verdictOf(file(outcome), undefined, "node-1"), {
    file: "/drop/web.tar.zst",
    node: "node-1",
    phase: "Receiving",
    reason: "Reading",
    message,
    components: [],
    progress: { bytes: 40, totalBytes: 100 },
  });
});

Deno.test("a file that was rejected says why, and names no package", () => {
  const outcome: DropOutcome = { phase: "Rejected", reason: "Corrupt", message: "it is damaged" };
  const verdict = verdictOf(file(outcome), undefined, "node-1");
  assert.deepEqual([verdict.phase, verdict.reason, verdict.message], [
    "Rejected",
    "Corrupt",
    "it is damaged",
  ]);
  assert.equal(verdict.package, undefined);
  assert.deepEqual(verdict.progress, { bytes: 0, totalBytes: 100 });
});

Deno.test("a package that was accepted and that the store lost is a failure to act on", () => {
  const verdict = verdictOf(file(accepted), undefined, "node-1");
  assert.deepEqual([verdict.phase, verdict.reason], ["Failed", "RecordLost"]);
  assert.match(verdict.message, /drop the file again/);
});

const states: readonly [PackageState, string][] = [
  ["accepted", "Accepted"],
  ["deploying", "Deploying"],
  ["ready", "Ready"],
  ["failed", "Failed"],
  ["rolled-back", "RolledBack"],
  ["superseded", "Superseded"],
];

for (const [state, phase] of states) {
  Deno.test(`a package that is ${state} is ${phase}, with the record's reason and message`, () =>
    withStore((store) => {
      store.records.putPackage(added);
      store.records.setPackageState(digest, state, { reason: "Because", message: "so it is" });
      const verdict = new VerdictBook(store, () => "node-1").verdict(file(accepted));
      assert.deepEqual([verdict.phase, verdict.reason, verdict.message], [
        phase,
        "Because",
        "so it is",
      ]);
      assert.deepEqual(verdict.package, {
        name: "web",
        version: "1.0.0",
        architecture: "amd64",
        digest,
        signature: "Unsigned",
      });
      assert.deepEqual(verdict.progress, { bytes: 100, totalBytes: 100 });
    }));
}

for (const signature of ["Unsigned", "Unverified", "Verified"]) {
  Deno.test(`a package that waits and is ${signature} says so, also when there is more to say`, () =>
    withStore((store) => {
      store.records.putPackage({ ...added, signature });
      const book = new VerdictBook(store, () => "n");
      const verdict = book.verdict(file(accepted));
      assert.equal(verdict.reason, signature);
      assert.match(verdict.message, /waits to be deployed/);
      store.records.setPackageState(digest, "ready", { reason: "Ready" });
      const later = book.verdict(file(accepted));
      assert.deepEqual([later.reason, later.package?.signature], ["Ready", signature]);
    }));
}

Deno.test("components are as recorded, and a phase that nobody knows is not passed on", () =>
  withStore((store) => {
    store.records.putPackage(added);
    const components = ["Waiting", "Deploying", "Ready", "Failed", "Exploding"]
      .map((phase) => ({ name: phase.toLowerCase(), phase, message: "m" }));
    store.records.setPackageState(digest, "deploying", { components });
    const verdict = new VerdictBook(store, () => "n").verdict(file(accepted));
    assert.deepEqual(verdict.components.map(({ phase }) => phase), [
      "Waiting",
      "Deploying",
      "Ready",
      "Failed",
      "Waiting",
    ]);
  }));

Deno.test("files of earlier runs are in the book, those of this run take their place", () =>
  withStore((store) => {
    const rejected = { phase: "Rejected", reason: "Corrupt", message: "x" } as const;
    store.records.putPackage(added);
    store.records.putDrop({ ...file(accepted, "/drop/b.tar"), outcome: accepted });
    store.records.putDrop({ ...file(rejected, "/drop/c.tar"), outcome: rejected });
    store.records.putDrop({ ...file(rejected, "/drop/d.tar"), outcome: { phase: "Odd" } });
    const book = new VerdictBook(store, () => "node-1");
    book.note(file({ phase: "Receiving", reason: "R", message: "m", bytes: 0 }, "/drop/a.tar"));
    book.note(file(accepted, "/drop/c.tar"));
    assert.deepEqual(book.all().map((one) => [one.file, one.phase]), [
      ["/drop/a.tar", "Receiving"],
      ["/drop/b.tar", "Accepted"],
      ["/drop/c.tar", "Accepted"],
    ]);
  }));

Deno.test("a verdict follows the record", () =>
  withStore((store) => {
    store.records.putPackage(added);
    const book = new VerdictBook(store, () => "node-1");
    book.note(file(accepted));
    assert.equal(book.all()[0]?.phase, "Accepted");
    store.records.setPackageState(digest, "ready");
    assert.equal(book.all()[0]?.phase, "Ready");
  }));
