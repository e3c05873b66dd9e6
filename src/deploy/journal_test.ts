import assert from "node:assert/strict";
import { DeployJournal, identityOf, type JournalLine } from "./journal.ts";

/** Lines that outlive a journal. */
function bookOf(lines: JournalLine[]) {
  return { append: (line: JournalLine) => void lines.push(line), lines: () => lines };
}

Deno.test("what was done before an interruption is known after it", async () => {
  const lines: JournalLine[] = [];
  const before = new DeployJournal(bookOf(lines));
  assert.equal(before.interrupted("x"), undefined);
  await before.beginDeployment("x", 7, 1000);
  await before.step("component/a", async () => {
    await before.step("component/a/before/0", () => Promise.resolve());
  });
  await before.begin("component/b");
  await before.done("component/b/before/0");
  await before.begin("component/b/before/1", { mark: "m" });

  const after = new DeployJournal(bookOf(lines));
  assert.equal(after.interrupted("x"), 7);
  assert.equal(after.interrupted("y"), undefined);
  assert.equal(after.startedAt, 1000, "the deployment began then, not at its interruption");
  const done = ["a", "a/before/0", "b", "b/before/0", "b/before/1"].filter((step) =>
    after.isDone(`component/${step}`)
  );
  assert.deepEqual(done, ["a", "a/before/0", "b/before/0"]);
  assert.deepEqual(after.halfDone().filter(Boolean), [{ mark: "m" }]);
});

Deno.test("a step that fails takes back what was done below it, and no more", async () => {
  const lines: JournalLine[] = [];
  const journal = new DeployJournal(bookOf(lines));
  await journal.beginDeployment("x", 1, 1000);
  await journal.done("component/a");
  for (const step of ["component/b/before/0", "component/bb/before/0"]) await journal.done(step);
  await journal.begin("component/b/before/1", {});
  await journal.failed("component/b");
  for (const one of [journal, new DeployJournal(bookOf(lines))]) {
    assert.equal(one.isDone("component/b/before/0"), false);
    assert.equal(one.isDone("component/bb/before/0"), true);
    assert.equal(one.isDone("component/a"), true);
    assert.deepEqual(one.halfDone(), []);
  }
});

Deno.test("a step that throws is not done, and one that begins again is not, either", async () => {
  const journal = new DeployJournal(undefined);
  await assert.rejects(journal.step("s", () => Promise.reject(new Error("no"))), /no/);
  assert.equal(journal.isDone("s"), false);
  await journal.done("s");
  await journal.begin("s");
  assert.equal(journal.isDone("s"), false);
});

Deno.test("a deployment that has ended, or another one, begins with nothing done", async () => {
  const lines: JournalLine[] = [];
  const first = new DeployJournal(bookOf(lines));
  await first.beginDeployment("x", 1, 1000);
  await first.done("component/a");
  await first.endDeployment();
  const second = new DeployJournal(bookOf(lines));
  assert.equal(second.interrupted("x"), undefined);
  assert.equal(second.isDone("component/a"), false);
  await second.beginDeployment("x", 2, 1000);
  await second.done("component/b");
  const third = new DeployJournal(bookOf(lines));
  assert.equal(third.interrupted("x"), 2);
  assert.equal(third.isDone("component/a"), false);
  await third.beginDeployment("z", 3, 1000);
  assert.equal(third.isDone("component/b"), false);
});

Deno.test("a journal whose beginning is lost says that nothing was done", () => {
  const journal = new DeployJournal(bookOf([{ step: "component/a", state: "done" }]));
  assert.equal(journal.isDone("component/a"), false);
  assert.equal(journal.interrupted("x"), undefined);
});

Deno.test("a deployment is known by its inputs, whose values it does not show", () => {
  const inputs = {
    wish: "1",
    components: ["a"],
    variables: [["X", { value: "secret" }]] as const,
    values: [{ yaml: "a: secret" }],
  };
  const identity = identityOf(inputs);
  assert.doesNotMatch(identity, /secret/);
  assert.equal(identityOf({ ...inputs, variables: [["X", { value: "secret" }]] }), identity);
  const others = [
    { ...inputs, wish: "2" },
    { ...inputs, components: ["a", "b"] },
    { ...inputs, variables: [["X", { value: "other" }]] as const },
    { ...inputs, variables: [] },
    { ...inputs, values: [{ yaml: "a: other" }] },
    {
      ...inputs,
      values: [...inputs.values, { set: { path: ".a", text: "b", type: "string" as const } }],
    },
  ];
  assert.equal(new Set([identity, ...others.map(identityOf)]).size, 7);
});

Deno.test("what was begun is known, done or not, until it fails", async () => {
  const lines: JournalLine[] = [];
  const journal = new DeployJournal(bookOf(lines));
  await journal.beginDeployment("x", 1, 1000);
  await journal.begin("injection/web/0/a");
  await journal.begin("injection/web/0/a/marker");
  await journal.done("injection/web/0/b");
  await journal.failed("component/web");
  const again = new DeployJournal(bookOf(lines));
  for (const step of ["a", "a/marker", "b"]) {
    assert.ok(again.isBegun(`injection/web/0/${step}`), step);
  }
  await again.failed("injection/web/0/a");
  assert.equal(again.isBegun("injection/web/0/a/marker"), false);
  assert.equal(again.isBegun("injection/web/0/b"), true);
});
