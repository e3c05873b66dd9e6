import assert from "node:assert/strict";
import { oneLine } from "../std/mod.ts";
import { Budget } from "./budget.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { checkLinkTarget, NameRegister, safePath, utf8Length } from "./names.ts";

function refuses(reason: PackageErrorReason, action: () => unknown, part: string): void {
  assert.throws(action, (error) => {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason);
    assert(error.message.startsWith("a.tar: "), error.message);
    assert(error.message.includes(part), error.message);
    return true;
  });
}

Deno.test("safe names come out in their normal form", async (t) => {
  const cases: [string, string][] = [
    ["zarf.yaml", "zarf.yaml"],
    ["./zarf.yaml", "zarf.yaml"],
    ["././a", "a"],
    ["components/", "components"],
    ["a/b c/ünïcode", "a/b c/ünïcode"],
    [".", ""],
    ["./", ""],
    ["", ""],
    [".git/config", ".git/config"],
    ["..data", "..data"],
    ["a/...b", "a/...b"],
    ["a/".repeat(100), "a/".repeat(99) + "a"],
    [`a/${"n".repeat(255)}/b`, `a/${"n".repeat(255)}/b`],
    ["ü".repeat(127), "ü".repeat(127)],
  ];
  for (const [name, path] of cases) {
    await t.step(JSON.stringify(name), () => assert.equal(safePath("a.tar", name), path));
  }
});

Deno.test("names that are not safe are refused and named", async (t) => {
  const names = [
    "../etc/passwd",
    "a/../../b",
    "a/..",
    "..",
    "./..",
    "/etc/passwd",
    "a\\b",
    "C:/windows",
    "a:stream",
    "a//b",
    "a/./b",
    ".//a",
    "a\0b",
    "a\nb",
    "a\x7f",
    "dot./b",
    "space /b",
    "end.",
    `a/${"n".repeat(256)}`,
    "a/".repeat(101),
    "ü".repeat(128),
    `${"💾".repeat(64)}/b`,
  ];
  for (const name of names) {
    await t.step(JSON.stringify(name), () => {
      refuses("UnsafePath", () => safePath("a.tar", name), oneLine(JSON.stringify(name)));
    });
  }
});

Deno.test("a link may point to what is below its root", async (t) => {
  const cases: [string, string][] = [
    ["link", "file"],
    ["link", "./a/b"],
    ["a/link", "../file"],
    ["a/b/link", "../../c/d"],
    ["a/link", "b/c"],
    ["link", "."],
  ];
  for (const [path, target] of cases) {
    await t.step(`${path} -> ${target}`, () => checkLinkTarget("a.tar", path, target));
  }
});

Deno.test("a link that could leave its root is refused", async (t) => {
  const cases: [string, string][] = [
    ["link", ".."],
    ["link", "../other"],
    ["a/link", "../../x"],
    ["link", "/etc/passwd"],
    ["link", ""],
    ["link", "a\\b"],
    // With `a` a link to somewhere deep, this one would climb out from there.
    ["b/link", "a/.."],
    ["link", "a/../.."],
  ];
  for (const [path, target] of cases) {
    await t.step(`${path} -> ${target}`, () => {
      refuses("UnsafePath", () => checkLinkTarget("a.tar", path, target), path);
    });
  }
});

Deno.test("a name is taken once, by one kind of thing", () => {
  const names = new NameRegister("a.tar", new Budget(DEFAULT_LIMITS));
  names.add("d/file", "file");
  names.add("d", "directory");
  names.add("link", "link");
  refuses("DuplicateEntry", () => names.add("d/file", "file"), `"d/file" is there twice`);
  refuses("DuplicateEntry", () => names.add("d", "directory"), `"d" is there twice`);
  refuses("DuplicateEntry", () => names.add("d", "file"), `"d" is there twice`);
  refuses("DuplicateEntry", () => names.add("link", "directory"), `"link" is there twice`);
  refuses("UnsafePath", () => names.add("link/x", "file"), `below "link", a link`);
  refuses("UnsafePath", () => names.add("d/file/x/y", "file"), `below "d/file", a file`);
});

Deno.test("directories that names imply are counted, each once", () => {
  const names = new NameRegister("a.tar", new Budget({ ...DEFAULT_LIMITS, entries: 4 }));
  names.add("a/b/c/1", "file");
  names.add("a/b/c/2", "file");
  names.add("a/b/d/3", "file");
  assert.throws(() => names.add("a/e/4", "file"), { reason: "LimitExceeded" });
});

Deno.test("lengths are those in UTF-8", () => {
  assert.deepEqual(["", "a", "ü", "€", "💾", "a€💾"].map(utf8Length), [0, 1, 2, 3, 4, 8]);
});
