import assert from "node:assert/strict";
import type { PreviewedObject } from "../helm_preview.ts";
import { MAX_CHANGES } from "./changes.ts";
import { groupKind, kindMadeBy, type PlannedObject, plannedObjects } from "./objects.ts";
import { MADE_ANEW } from "./made_anew.ts";

const CONTEXT = { redact: (text: string) => text, isComing: () => false };

function object(more: Partial<PreviewedObject>): PreviewedObject {
  return { role: "object", apiVersion: "v1", kind: "ConfigMap", name: "c", ...more };
}

const map = (value: unknown, more = {}) => ({ kind: "ConfigMap", data: { a: value }, ...more });

interface Case {
  readonly name: string;
  readonly given: Partial<PreviewedObject>;
  readonly expected: Partial<PlannedObject>;
  readonly isComing?: boolean;
}

const CASES: readonly Case[] = [
  {
    name: "is not there",
    given: { target: map(1), after: map(1) },
    expected: { outcome: "created" },
  },
  {
    name: "is in a namespace that is not there",
    given: { target: map(1), notAsked: "namespace" },
    expected: { outcome: "created" },
  },
  {
    name: "is there and the same",
    given: { target: map(1), before: map(1, { status: 1 }), after: map(1) },
    expected: { outcome: "unchanged" },
  },
  {
    name: "is there and another",
    given: { target: map(1), before: map(1), after: map(2) },
    expected: {
      outcome: "changed",
      changes: [{ path: "data.a", change: "changed", before: 1, after: 2 }],
    },
  },
  { name: "is no longer wanted", given: { before: map(1) }, expected: { outcome: "deleted" } },
  {
    name: "is a hook that has run before",
    given: { role: "hook", target: map(1), before: map(1), notAsked: "hook" },
    expected: { outcome: "runs" },
  },
  {
    name: "is of a kind that comes with the package",
    given: { notAsked: "kind" },
    isComing: true,
    expected: { outcome: "unknown", reason: "its kind is not there yet" },
  },
  {
    name: "is of a kind that nobody brings",
    given: { notAsked: "kind" },
    expected: {
      outcome: "refused",
      reason: "the cluster has no kind ConfigMap in v1, and nothing before it makes one",
    },
  },
  {
    name: "a webhook keeps from being asked about",
    given: {
      ...{ target: map(1), before: map(1) },
      refused: 'apply failed: admission webhook "w.example" does not support dry run',
    },
    expected: {
      outcome: "unknown",
      reason: 'admission webhook "w.example" does not support dry run',
    },
  },
  {
    name: "is refused",
    given: { target: map(1), before: map(1), refused: "no" },
    expected: { outcome: "refused", reason: "no" },
  },
];

for (const { name, given, expected, isComing = false } of CASES) {
  Deno.test(`what becomes of an object that ${name}`, () => {
    const [found] = plannedObjects([object(given)], undefined, {
      ...CONTEXT,
      isComing: () => isComing,
    });
    assert.ok(found);
    const { content, role, apiVersion, kind, name, ...rest } = found;
    assert.deepEqual(rest, expected);
    assert.deepEqual([role, apiVersion, kind, name], [
      given.role ?? "object",
      "v1",
      "ConfigMap",
      "c",
    ]);
    const isCompared = ["unchanged", "changed", "deleted"].includes(rest.outcome) ||
      given.notAsked === "kind";
    assert.equal(content === undefined, isCompared);
  });
}

Deno.test("what is sent is told apart by its content, Secrets by their keys only", () => {
  const content = (target: Record<string, unknown>) =>
    plannedObjects([object({ target })], undefined, CONTEXT)[0]?.content;
  assert.notEqual(content(map(1)), content(map(2)));
  const secret = (data: unknown) => content({ apiVersion: "v1", kind: "Secret", data });
  assert.equal(secret({ a: "1" }), secret({ a: "2" }));
  assert.notEqual(secret({ a: "1" }), secret({ b: "1" }));
});

Deno.test("what a chart makes up is neither a change that comes and goes nor another content", () => {
  const asked = (random: string) => [
    object({ target: map(random), before: map("live"), after: map(random) }),
    object({ name: "new", target: map(random), after: map(random) }),
    object({ name: `job-${random}`, kind: "Job", target: map(random), after: map(random) }),
    object({ name: "old", before: map(random) }),
  ];
  const one = plannedObjects(asked("abc"), asked("def"), CONTEXT);
  const other = plannedObjects(asked("ghi"), asked("jkl"), CONTEXT);
  assert.deepEqual(one, other);
  assert.deepEqual(one.map(({ name, outcome }) => `${name} ${outcome}`), [
    "c changed",
    "new created",
    `${MADE_ANEW} created`,
    "old deleted",
  ]);
  assert.deepEqual(one[0]?.changes, [
    { path: "data.a", change: "changed", before: "live", after: MADE_ANEW },
  ]);
});

Deno.test("of very many changes of one object some are told and the others counted", () => {
  const data = Object.fromEntries(
    Array.from({ length: MAX_CHANGES + 3 }, (_, at) => [`k${at}`, at]),
  );
  const [found] = plannedObjects(
    [object({ target: {}, before: { data: {} }, after: { data } })],
    undefined,
    CONTEXT,
  );
  assert.deepEqual([found?.changes?.length, found?.moreChanges], [MAX_CHANGES, 3]);
});

Deno.test("the kind that a CustomResourceDefinition makes is known by group and name", () => {
  const spec = { group: "lab.example", names: { kind: "Widget" } };
  assert.equal(kindMadeBy({ kind: "CustomResourceDefinition", spec }), "lab.example/Widget");
  assert.equal(kindMadeBy({ kind: "ConfigMap", spec }), undefined);
  assert.equal(groupKind("lab.example/v1", "Widget"), "lab.example/Widget");
  assert.equal(groupKind("v1", "Pod"), "/Pod");
});
