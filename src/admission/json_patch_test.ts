import assert from "node:assert/strict";
import { applyPatch } from "../../test/fakes/json_patch.ts";
import { setAt, setEntries, setMembers } from "./json_patch.ts";

Deno.test("slashes and tildes in a path's parts are escaped as RFC 6901 wants it", () => {
  const cases: [(string | number)[], string][] = [
    [["a", "b"], "/a/b"],
    [["spec", "containers", 0, "image"], "/spec/containers/0/image"],
    [["a/b"], "/a~1b"],
    [["a~b"], "/a~0b"],
    [["~1"], "/~01"],
    [["zarf.dev/x~y/z"], "/zarf.dev~1x~0y~1z"],
    [[""], "/"],
  ];
  for (const [parts, path] of cases) assert.equal(setAt(parts, 1).path, path);
});

Deno.test("entries come in whatever was there, and twice changes nothing", () => {
  const entries = { "a/b": "1", c: "2" };
  const cases: (Record<string, string> | null | undefined)[] = [
    undefined,
    null,
    {},
    { x: "y" },
    { c: "other", x: "y" },
    { "a/b": "1" },
    { "a/b": "1", c: "2" },
  ];
  for (const present of cases) {
    const document = present === undefined ? { m: {} } : { m: { labels: present } };
    const patched = applyPatch(document, setEntries(["m", "labels"], present, entries)) as {
      m: { labels: Record<string, string> };
    };
    assert.deepEqual(patched.m.labels, { ...present, ...entries });
    assert.deepEqual(setEntries(["m", "labels"], patched.m.labels, entries), []);
  }
});

Deno.test("only what differs is set", () => {
  assert.deepEqual(setEntries(["l"], { a: "1", b: "2" }, { a: "1", b: "3" }), [
    { op: "add", path: "/l/b", value: "3" },
  ]);
});

Deno.test("an item of a list is replaced, whatever stands beside it", () => {
  const list = { spec: { items: ["a", "b", "c"] } };
  const step = setAt(["spec", "items", 1], "x");
  assert.equal(step.op, "replace");
  assert.deepEqual(applyPatch(list, [step]), { spec: { items: ["a", "x", "c"] } });
});

Deno.test("members that are so already are left alone, objects among them", () => {
  const present = { url: "a", ref: { name: "x" }, insecure: false };
  const wanted = { url: "b", ref: { name: "x" }, insecure: true, more: { name: "y" } };
  const steps = setMembers(["spec"], present, wanted);
  assert.deepEqual(steps.map(({ path }) => path), ["/spec/url", "/spec/insecure", "/spec/more"]);
  const patched = applyPatch({ spec: present }, steps) as { spec: typeof wanted };
  assert.deepEqual(patched.spec, wanted);
  assert.deepEqual(setMembers(["spec"], patched.spec, wanted), []);
});
