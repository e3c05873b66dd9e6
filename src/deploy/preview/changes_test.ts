import assert from "node:assert/strict";
import { changesOf, withoutSecrets, withoutServerFields } from "./changes.ts";

const redact = (text: string) => text.replaceAll("geheim", "***");

interface Case {
  readonly name: string;
  readonly before: unknown;
  readonly after: unknown;
  /** `path: change before -> after`, `secret` for what is hidden. */
  readonly expected: readonly string[];
}

const pod = (spec: unknown) => ({ spec: { template: { spec } } });

const CASES: readonly Case[] = [
  { name: "the same", before: { a: 1, b: [1] }, after: { b: [1], a: 1 }, expected: [] },
  {
    name: "a number",
    before: { spec: { replicas: 1 } },
    after: { spec: { replicas: 2 } },
    expected: ["spec.replicas: changed 1 -> 2"],
  },
  {
    name: "keys that come and go",
    before: { data: { old: "a", "with.dot": "x" } },
    after: { data: { new: "b", "with.dot": "y" } },
    expected: [
      'data.new: added "b"',
      'data.old: removed "a"',
      'data["with.dot"]: changed "x" -> "y"',
    ],
  },
  {
    name: "containers by their names",
    before: pod({ containers: [{ name: "a", image: "a:1" }, { name: "b", image: "b:1" }] }),
    after: pod({ containers: [{ name: "a", image: "a:2" }, { name: "c", image: "c:1" }] }),
    expected: [
      'spec.template.spec.containers[a].image: changed "a:1" -> "a:2"',
      'spec.template.spec.containers[b]: removed {"name":"b","image":"b:1"}',
      'spec.template.spec.containers[c]: added {"name":"c","image":"c:1"}',
    ],
  },
  {
    name: "the order of what has a name",
    before: { c: [{ name: "a" }, { name: "b" }] },
    after: { c: [{ name: "b" }, { name: "a" }] },
    expected: ['c[order]: changed ["a","b"] -> ["b","a"]'],
  },
  {
    name: "ports by their numbers",
    before: { ports: [{ containerPort: 80 }] },
    after: { ports: [{ containerPort: 80, protocol: "UDP" }] },
    expected: ['ports[80].protocol: added "UDP"'],
  },
  {
    name: "plain lists by their places",
    before: { args: ["a", "b"] },
    after: { args: ["a", "c", "d"] },
    expected: ['args[1]: changed "b" -> "c"', 'args[2]: added "d"'],
  },
  {
    name: "names that are there twice",
    before: { env: [{ name: "A", value: "1" }, { name: "A", value: "2" }] },
    after: { env: [{ name: "A", value: "1" }, { name: "A", value: "3" }] },
    expected: ['env[1].value: changed "2" -> "3"'],
  },
  {
    name: "a list that becomes a map",
    before: { a: [1] },
    after: { a: { 0: 1 } },
    expected: ['a: changed [1] -> {"0":1}'],
  },
  {
    name: "what the server adds by itself",
    before: {
      metadata: { name: "x", resourceVersion: "1", generation: 1, uid: "u", managedFields: [1] },
      status: { ready: true },
    },
    after: { metadata: { name: "x", resourceVersion: "2", generation: 2, managedFields: [2] } },
    expected: [],
  },
  {
    name: "kubectl's copy of an object, which holds all of it",
    before: {
      metadata: {
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": "all", other: "a" },
      },
    },
    after: { metadata: { annotations: { other: "b" } } },
    expected: ['metadata.annotations.other: changed "a" -> "b"'],
  },
  {
    name: "keys of a Secret and nothing of what they hold",
    before: { apiVersion: "v1", kind: "Secret", data: { a: "MQ==", old: "MQ==" }, type: "x" },
    after: { apiVersion: "v1", kind: "Secret", data: { a: "Mg==", new: "Mg==" }, type: "y" },
    expected: [
      "data.a: changed secret",
      "data.new: added secret",
      "data.old: removed secret",
      'type: changed "x" -> "y"',
    ],
  },
  {
    name: "a secret in another object, and what was there before it",
    before: { kind: "ConfigMap", data: { url: "user:yesterday@host", "a-geheim": "1" } },
    after: { kind: "ConfigMap", data: { url: "user:geheim@host", other: "x" } },
    expected: [
      'data.a-geheim: removed "1"',
      'data.other: added "x"',
      "data.url: changed secret",
    ],
  },
  {
    name: "a secret deep in what is added",
    before: { env: [] },
    after: { env: [{ name: "P", value: "geheim" }] },
    expected: ["env[P]: added secret"],
  },
];

for (const { name, before, after, expected } of CASES) {
  Deno.test(`of two objects differ: ${name}`, () => {
    const found = changesOf(before, after, redact);
    assert.deepEqual(
      found.map(({ path, change, before, after, secret }) => {
        const values = [before, after].filter((value) => value !== undefined).map((value) =>
          JSON.stringify(value)
        );
        return `${path}: ${change} ${secret ? "secret" : values.join(" -> ")}`;
      }),
      expected,
    );
    assert.ok(!/geheim@|"geheim"|yesterday/.test(JSON.stringify(found)));
  });
}

Deno.test("a long text is shown by its beginning, and two of them differ all the same", () => {
  const text = (end: string) => ({ data: { a: "x".repeat(10_000) + end } });
  const [one] = changesOf({ data: {} }, text("1"), redact);
  const [other] = changesOf({ data: {} }, text("2"), redact);
  assert.match(String(one?.after), /^x{4000}… \(10001 characters, sha256:[0-9a-f]{64}\)$/);
  assert.notEqual(one?.after, other?.after);
});

Deno.test("what may be shown of an object holds no secret and nothing of the server", () => {
  const shown = withoutSecrets({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", uid: "u", labels: { a: "geheim" } },
    stringData: { password: "kurz" },
    status: {},
  }, redact);
  assert.deepEqual(shown, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", labels: { a: "***" } },
    stringData: { password: "***" },
  });
  assert.equal(withoutServerFields("text"), "text");
});
