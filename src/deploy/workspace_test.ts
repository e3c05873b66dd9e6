import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { Workspace, type WorkspaceOptions } from "./workspace.ts";

const OUTCOME = {
  variables: [{ name: "V", value: "secret", autoIndent: false, sensitive: true }],
  values: [{ path: ".a", text: "1", type: "json" as const }],
};

function optionsIn(dir: string, more: Partial<WorkspaceOptions> = {}): WorkspaceOptions {
  return { root: `${dir}/deploy/shop`, deployment: "one", tools: `${dir}/tools`, ...more };
}

Deno.test("a workspace is private, and finds a shell", () =>
  withDirectory((dir) => {
    const workspace = Workspace.open(optionsIn(dir));
    const { root, work, home, tmp, temp, shell } = workspace;
    assert.equal((Deno.statSync(root).mode ?? 0) & 0o777, 0o700);
    for (const directory of [work, home, tmp, temp]) {
      assert.ok(directory.startsWith(`${root}/`) && Deno.statSync(directory).isDirectory);
    }
    assert.match(shell, /\/sh$/);
    Deno.mkdirSync(`${dir}/tools`);
    Deno.writeTextFileSync(`${dir}/tools/sh`, "");
    assert.equal(Workspace.open(optionsIn(dir)).shell, `${dir}/tools/sh`, "the tools' first");
  }));

Deno.test("a deployment finds again what it left, in the order in which it was set", () =>
  withDirectory((dir) => {
    const first = Workspace.open(optionsIn(dir));
    Deno.writeTextFileSync(`${first.work}/file`, "left");
    first.keep("component/a/before/0", OUTCOME);
    first.keep("component/a/before/1", { variables: [], values: [] });
    first.keep("component/ab/before/0", OUTCOME);
    first.keep("component/a/before/0", OUTCOME);
    assert.equal(Workspace.holds(first.root, "one"), true);
    assert.equal(Workspace.holds(first.root, "two"), false);
    const second = Workspace.open(optionsIn(dir));
    assert.equal(Deno.readTextFileSync(`${second.work}/file`), "left");
    assert.deepEqual(second.outcomes("component/a/"), [{ variables: [], values: [] }, OUTCOME]);
    assert.deepEqual(second.outcome("component/ab/before/0"), OUTCOME);
    assert.equal(second.outcome("component/ab/before"), undefined);
  }));

Deno.test("another deployment begins with nothing, and so does one whose book is spoilt", async (t) => {
  const rows: [name: string, spoil: (root: string) => void, deployment: string][] = [
    ["another", () => {}, "two"],
    ["no JSON", (root) => Deno.writeTextFileSync(`${root}/outcomes.json`, "{"), "one"],
    ["another shape", (root) => Deno.writeTextFileSync(`${root}/outcomes.json`, "[]"), "one"],
    ["no book", (root) => Deno.removeSync(`${root}/outcomes.json`), "one"],
  ];
  for (const [name, spoil, deployment] of rows) {
    await t.step(name, () =>
      withDirectory((dir) => {
        const first = Workspace.open(optionsIn(dir));
        first.keep("s", OUTCOME);
        Deno.writeTextFileSync(`${first.work}/file`, "left");
        spoil(first.root);
        const second = Workspace.open(optionsIn(dir, { deployment }));
        assert.deepEqual([...Deno.readDirSync(second.work)], []);
        assert.equal(second.outcome("s"), undefined);
        Workspace.remove(second.root);
        assert.throws(() => Deno.statSync(second.root), Deno.errors.NotFound);
      }));
  }
});
