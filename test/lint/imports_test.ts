import assert from "node:assert/strict";
import { lint } from "./imports.ts";

const DOOR = "/**\n * A room.\n *\n * @module\n */\nexport const x = 1;\n";
/** A tree without a finding; each test changes one thing. */
const CLEAN: Readonly<Record<string, string>> = {
  "deno.json": '{ "imports": { "js-yaml": "npm:js-yaml@5.5.0" }, "lock": false }',
  "node_modules/js-yaml/package.json": '{ "name": "js-yaml", "version": "5.5.0", "main": "x.js" }',
  "node_modules/js-yaml/x.js": "",
  "main.ts": 'import "./src/cli/mod.ts";\n',
  "src/cli/mod.ts": DOOR + 'import "../store/mod.ts";\n',
  "src/store/mod.ts": DOOR + 'import "./blob.ts";\nimport "../std/mod.ts";\n',
  "src/store/blob.ts": "export type Blob = string;\nexport const blob = 1;\n",
  "src/store/blob_test.ts": 'import "../../test/help.ts";\nimport "../cli/mod.ts";\n',
  "src/std/mod.ts": DOOR,
  "test/help.ts": 'import "../src/store/mod.ts";\n',
  "test/fixtures/any.ts": 'import "../../src/store/blob.ts"; // TO' + "DO\n",
  "LICENSE": "/ro" + "ot/\n",
};

/** Lints the clean tree with some files added, replaced or (undefined) removed. */
async function findingsOf(changes: Record<string, string | undefined>): Promise<string[]> {
  const root = await Deno.realPath(await Deno.makeTempDir());
  try {
    for (const [path, text] of Object.entries({ ...CLEAN, ...changes })) {
      if (text === undefined) continue;
      await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    return (await lint(root)).map(({ file, line, message }) => `${file}:${line}: ${message}`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("a tree that keeps the rules has no finding", async () => {
  assert.deepEqual(await findingsOf({}), []);
});

for (const mode of ["none", "manual"]) {
  Deno.test(`packages of deno.json may be imported by every room (node_modules: ${mode})`, async () => {
    const imports = { "js-yaml": "npm:js-yaml@5.5.0" };
    const config = JSON.stringify({ imports, lock: false, nodeModulesDir: mode });
    const room = 'import "js-yaml";\nimport "node:fs";\n';
    assert.deepEqual(await findingsOf({ "deno.json": config, "src/store/blob.ts": room }), []);
  });
}

const breaches: { name: string; changes: Record<string, string | undefined>; want: RegExp[] }[] = [
  {
    name: "a room may not import a room that the table does not give it",
    changes: { "src/store/blob.ts": '\nimport "../cli/mod.ts";\n' },
    want: [
      /^src\/store\/blob\.ts:2: src\/store may not import src\/cli/,
      /^src\/store\/blob\.ts:2: The imports go round: src\/cli\/mod\.ts -> .* -> src\/cli\/mod\.ts\.$/,
    ],
  },
  {
    name: "types count, too",
    changes: {
      "src/store/blob.ts": 'import type { x } from "../cli/mod.ts";\nexport type Y = x;\n',
    },
    want: [/^src\/store\/blob\.ts:1: src\/store may not import src\/cli/],
  },
  {
    name: "and so do dynamic imports",
    changes: { "src/std/mod.ts": DOOR + 'export const y = () => import("../refs/mod.ts");\n' },
    want: [/^src\/std\/mod\.ts:7: src\/std may not import src\/refs/],
  },
  {
    name: "main.ts goes through the command line",
    changes: { "main.ts": 'import "./src/store/mod.ts";\n' },
    want: [/^main\.ts:1: main\.ts may not import src\/store/],
  },
  {
    name: "another room's file is imported through its door",
    changes: { "src/cli/mod.ts": DOOR + 'import "../store/blob.ts";\n' },
    want: [
      /^src\/cli\/mod\.ts:7: src\/store\/blob\.ts is imported past the room's door; .*mod\.ts/,
    ],
  },
  {
    name: "tests use the door of other rooms",
    changes: { "src/cli/run_test.ts": 'import "../store/blob.ts";\n' },
    want: [/^src\/cli\/run_test\.ts:1: .* past the room's door/],
  },
  {
    name: "helpers of tests use it, too",
    changes: { "test/help.ts": 'import "../src/store/blob.ts";\n' },
    want: [/^test\/help\.ts:1: .* past the room's door/],
  },
  {
    name: "the program does not import tests or tools",
    changes: { "src/store/blob.ts": 'import "../../test/other.ts";\n', "test/other.ts": "" },
    want: [/^src\/store\/blob\.ts:1: .* may not import test\/other\.ts from outside src/],
  },
  {
    name: "packages are named in deno.json",
    changes: { "src/store/blob.ts": 'import "npm:js-yaml@5.5.0";\n' },
    want: [/^src\/store\/blob\.ts:1: "npm:js-yaml@5\.5\.0" is imported in place/],
  },
  {
    name: "files of a room do not import each other in a circle",
    changes: {
      "src/store/blob.ts": 'import "./a.ts";\n',
      "src/store/a.ts": 'import "./b.ts";\n',
      "src/store/b.ts": '\nimport "./blob.ts";\n',
    },
    want: [
      /^src\/store\/b\.ts:2: .* go round: \S+blob\.ts -> \S+a\.ts -> \S+b\.ts -> \S+blob\.ts\.$/,
    ],
  },
  {
    name: "a room has a door",
    changes: { "src/refs/a.ts": "" },
    want: [/^src\/refs\/mod\.ts:1: The room refs has no mod\.ts/],
  },
  {
    name: "a door says what the room promises",
    changes: { "src/std/mod.ts": "/** Just x. */\nexport const x = 1;\n/** @module */\n" },
    want: [/^src\/std\/mod\.ts:1: The door of std does not begin with a module comment/],
  },
  {
    name: "a room is in the table",
    changes: { "src/extra/mod.ts": DOOR },
    want: [/^src\/extra\/mod\.ts:1: The room extra is not in the import table/],
  },
];

for (const { name, changes, want } of breaches) {
  Deno.test(name, async () => {
    const findings = await findingsOf(changes);
    assert.equal(findings.length, want.length, findings.join("\n"));
    want.forEach((pattern, at) => assert.match(findings[at] ?? "", pattern));
  });
}

Deno.test("a circle of types alone is allowed: it is gone at run time", async () => {
  assert.deepEqual(
    await findingsOf({
      "src/store/blob.ts": 'import type { A } from "./a.ts";\nexport type B = A;\n',
      "src/store/a.ts": 'import type { B } from "./blob.ts";\nexport type A = string | B[];\n',
    }),
    [],
  );
});

Deno.test("an import in a comment or a string is none", async () => {
  const text = '// import "../cli/mod.ts";\nexport const t = `\nimport "../cli/mod.ts";\n`;\n';
  assert.deepEqual(await findingsOf({ "src/store/blob.ts": text }), []);
});

Deno.test("findings come in the order of files and lines, from every check", async () => {
  const findings = await findingsOf({
    "src/store/blob.ts": 'import "npm:js-yaml@5.5.0";\n// FIX' + "ME\n",
    "docs/a.md": "\n/ro" + "ot/x\n",
  });
  assert.deepEqual(findings.map((one) => one.split(": ")[0]), [
    "docs/a.md:2",
    "src/store/blob.ts:1",
    "src/store/blob.ts:2",
  ]);
});

Deno.test("the command ends with 0 here, or says file and line", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("imports.ts", import.meta.url).pathname],
  }).output();
  const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
  if (code === 0) assert.deepEqual(lines, [""]);
  else lines.forEach((line) => assert.match(line, /^[^:]+:\d+: .+\.$/));
});
