import assert from "node:assert/strict";
import type { JsonObject } from "./json.ts";
import { migrate } from "./migrate.ts";

const DONE = ["scripts-to-actions", "pluralize-set-variable"];

/** A package with one component before and after its migration. */
interface Case {
  readonly name: string;
  readonly before: JsonObject;
  readonly after: JsonObject;
  /** What the definition says of earlier migrations. */
  readonly done?: string[];
}

const action = (more: JsonObject): JsonObject => ({ cmd: "x", ...more });
const onDeploy = (more: JsonObject): JsonObject => ({ actions: { onDeploy: more } });

const CASES: readonly Case[] = [
  { name: "nothing old", before: { name: "web" }, after: { name: "web" } },
  {
    name: "scripts of every moment, after the actions that are there",
    before: {
      scripts: { prepare: ["a"], before: ["b", "c"], after: ["d"] },
      ...onDeploy({ before: [action({})], defaults: { mute: false, dir: "/" } }),
    },
    after: {
      scripts: { prepare: ["a"], before: ["b", "c"], after: ["d"] },
      actions: {
        onCreate: { defaults: { mute: true }, before: [{ cmd: "a" }] },
        onDeploy: {
          defaults: { mute: true },
          before: [action({}), { cmd: "b" }, { cmd: "c" }],
          after: [{ cmd: "d" }],
        },
      },
    },
  },
  {
    name: "what scripts say of their output, time and retries",
    before: { scripts: { after: ["a"], showOutput: true, timeoutSeconds: 30, retry: true } },
    after: {
      scripts: { after: ["a"], showOutput: true, timeoutSeconds: 30, retry: true },
      ...onDeploy({
        defaults: { mute: false, maxTotalSeconds: 30, maxRetries: 10_000 },
        after: [{ cmd: "a" }],
      }),
    },
  },
  {
    name: "scripts without a command",
    before: { scripts: { retry: true, before: [] } },
    after: { scripts: { retry: true, before: [] }, actions: {} },
  },
  {
    name: "scripts that were migrated before",
    before: { scripts: { before: ["a"] }, ...onDeploy({ before: [{ cmd: "a" }] }) },
    after: onDeploy({ before: [{ cmd: "a" }] }),
    done: ["scripts-to-actions"],
  },
  {
    name: "setVariable in every list",
    before: {
      actions: {
        onCreate: { before: [action({ setVariable: "A" })] },
        onDeploy: { after: [action({ setVariable: "B" })], onSuccess: [action({})] },
        onRemove: { onFailure: [action({ setVariable: "C" })] },
      },
    },
    after: {
      actions: {
        onCreate: { before: [action({ setVariable: "A", setVariables: [{ name: "A" }] })] },
        onDeploy: {
          after: [action({ setVariable: "B", setVariables: [{ name: "B" }] })],
          onSuccess: [action({})],
        },
        onRemove: { onFailure: [action({ setVariable: "C", setVariables: [{ name: "C" }] })] },
      },
    },
  },
  {
    name: "setVariable beside setVariables",
    before: onDeploy({ before: [action({ setVariable: "A", setVariables: [{ name: "B" }] })] }),
    after: onDeploy({ before: [action({ setVariable: "A", setVariables: [{ name: "B" }] })] }),
  },
  {
    name: "setVariable beside an empty list",
    before: onDeploy({ before: [action({ setVariable: "A", setVariables: [] })] }),
    after: onDeploy({ before: [action({ setVariable: "A", setVariables: [{ name: "A" }] })] }),
  },
  {
    name: "setVariable without a name",
    before: onDeploy({ before: [action({ setVariable: "" })] }),
    after: onDeploy({ before: [action({ setVariable: "" })] }),
  },
  {
    name: "setVariable that was migrated before",
    before: onDeploy({ before: [action({ setVariable: "A", setVariables: [{ name: "A" }] })] }),
    after: onDeploy({ before: [action({ setVariables: [{ name: "A" }] })] }),
    done: ["pluralize-set-variable"],
  },
  {
    name: "what stays as it is",
    before: { group: "a", dataInjections: [{ source: "b" }] },
    after: { group: "a", dataInjections: [{ source: "b" }] },
  },
  {
    name: "what is of another form than it should be",
    before: { scripts: "rm", actions: { onDeploy: ["x"], onRemove: { before: "x" } } },
    after: { scripts: "rm", actions: { onDeploy: ["x"], onRemove: { before: "x" } } },
  },
];

for (const { name, before, after, done } of CASES) {
  Deno.test(`a definition is migrated as Zarf does it: ${name}`, () => {
    const build = done === undefined ? {} : { build: { migrations: done } };
    const migrated = migrate({ kind: "K", ...build, components: [before] });
    assert.deepEqual(migrated, { kind: "K", build: { migrations: DONE }, components: [after] });
  });
}

Deno.test("a definition that was migrated comes out the same again", () => {
  for (const { before } of CASES) {
    const once = migrate({ components: [before] });
    const [component] = once["components"] as JsonObject[];
    const { scripts: _, ...kept } = component ?? assert.fail();
    const again = migrate(once)["components"] as JsonObject[];
    const withoutOld = JSON.parse(JSON.stringify(kept).replaceAll(/,?"setVariable":"[A-Z]*"/g, ""));
    assert.deepEqual(again[0], withoutOld);
  }
});

Deno.test("what else the definition holds, and its build, is kept", () => {
  const build = { version: "v0.1.0", migrations: ["older", "pluralize-set-variable"] };
  const migrated = migrate({ metadata: { name: "a" }, build, components: [] });
  assert.deepEqual(migrated, {
    metadata: { name: "a" },
    build: { version: "v0.1.0", migrations: DONE },
    components: [],
  });
});

Deno.test("a definition without a list of components is left to the schema", () => {
  for (const definition of [{}, { components: "web" }, { components: { name: "web" } }]) {
    assert.equal(migrate(definition), definition);
  }
});
