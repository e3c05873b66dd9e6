import assert from "node:assert/strict";
import { checkText } from "./hygiene.ts";

// Joined here, so that this file keeps the rules that it tests.
const join = (...parts: string[]) => parts.join("");

const cases: { name: string; file: string; text: string; lines: number[] }[] = [
  {
    name: "a test that runs alone",
    file: "a_test.ts",
    text: join("Deno.test", ".only("),
    lines: [1],
  },
  {
    name: "a test that is ignored",
    file: "a_test.ts",
    text: join("Deno.test", ".ignore("),
    lines: [1],
  },
  {
    name: "the same as options, unless it depends on the machine,",
    file: "a_test.ts",
    text: join("{ ", "ignore", ": true }\n{ ", "only", ": true }\n{ ", "ignore", ": !root }"),
    lines: [1, 2],
  },
  { name: "an ignore key elsewhere", file: "a.ts", text: join("ignore", ": true"), lines: [] },
  { name: "a label's value", file: "a_test.ts", text: '"zarf.dev/agent": "ignore"', lines: [] },
  { name: "work left for later", file: "a.md", text: join("x\n// TO", "DO: y"), lines: [2] },
  { name: "work left in a Go file", file: "a.go", text: join("// FIX", "ME"), lines: [1] },
  { name: "a word that contains a marker", file: "a.md", text: join("TO", "DOS"), lines: [] },
  { name: "a home directory", file: "a.md", text: join("cd /ro", "ot/x"), lines: [1] },
  { name: "root's home as such", file: "a.ts", text: 'HOME: "/root"', lines: [] },
  { name: "a work directory", file: "a.json", text: join("/wo", "rk/a\n/wo", "rk"), lines: [1, 2] },
  {
    name: "a path that goes on",
    file: "a.ts",
    text: "`${base}/root/x` data/root a/work/b",
    lines: [],
  },
  { name: "a longer name", file: "a.ts", text: '"/rootfs/x" "/workdir"', lines: [] },
  {
    name: "a download address in the lock file",
    file: "deno.lock",
    text: '{\n"tarball": "x",\n"integrity": "sha512-https"\n"a": "https://registry.example/x.tgz"',
    lines: [2, 4],
  },
  { name: "an address elsewhere", file: "a.md", text: "https://example.org/x.tgz", lines: [] },
];

for (const { name, file, text, lines } of cases) {
  Deno.test(`${name} is ${lines.length > 0 ? "found" : "no finding"}`, () => {
    const findings = checkText(file, text);
    assert.deepEqual(findings.map(({ line }) => line), lines);
    findings.forEach((finding) => assert.equal(finding.file, file));
  });
}
