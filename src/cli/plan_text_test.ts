import assert from "node:assert/strict";
import type { PlannedReleaseStep, PlannedStep } from "../deploy/mod.ts";
import { type PlanDocument, planText } from "./plan_text.ts";

const PLAN: PlanDocument = {
  file: "shop.tar.zst",
  signature: "Unsigned",
  hash: "sha256:abc",
  package: { name: "shop", version: "2.0.0", architecture: "amd64", digest: "sha256:def" },
  bootstrap: false,
  variables: {},
  values: {},
  refused: [],
  images: { total: 0, missing: [], bytes: 0 },
  components: [],
  warnings: [],
};

const RELEASE: PlannedReleaseStep = {
  kind: "release",
  step: "release/shop/web",
  from: "chart",
  title: "web",
  release: "web",
  namespace: "shop",
  action: "upgrade",
  revision: 3,
  namespaces: [],
  secrets: [],
  waits: true,
  objects: [],
};

const OBJECT = { role: "object", apiVersion: "v1", kind: "ConfigMap", name: "c" } as const;

/** What is said of one step. */
function linesOf(...steps: readonly PlannedStep[]): string[] {
  const component = { name: "web", deployed: true, why: "required", steps, onFailure: [] };
  const lines = planText({ ...PLAN, components: [component] }).trimEnd().split("\n");
  return lines.slice(lines.indexOf("component web (required)") + 1);
}

Deno.test("a plan begins with what it is of, and ends with what is wrong", () => {
  const text = planText({
    ...PLAN,
    signature: "Verified by b7cdfef8572b7c9b",
    deployed: { version: "1.0.0", generation: 4 },
    variables: { A: "1", PASSWORD: "***" },
    values: { app: { replicas: 3, hosts: ["a", "b"], on: true }, token: "***" },
    images: {
      total: 2,
      missing: [{ image: "library/nginx:1", digest: "sha256:0", bytes: 12_345_678 }],
      bytes: 12_345_678,
    },
    components: [{ name: "x", deployed: false, why: "not chosen", steps: [], onFailure: [] }],
    refused: [{ reason: "ActionsRefused", message: "no trusted key" }],
    warnings: ["an image is nowhere"],
  });
  assert.equal(
    text,
    `package    shop 2.0.0 (amd64)
digest     sha256:def
signature  Verified by b7cdfef8572b7c9b
deployed   1.0.0, generation 4
variables  A=1 PASSWORD=***
values     app.replicas=3 app.hosts=["a","b"] app.on=true token=***
images     2, 1 not in the registry, 12.3 MB to send
plan       sha256:abc

images to send
  + library/nginx:1 sha256:0 12.3 MB

component x: left out (not chosen)

refused: ActionsRefused: no trusted key

warning: an image is nowhere
`,
  );
});

const HEADS: readonly [string, Partial<PlanDocument>, RegExp][] = [
  ["nothing is there", { bootstrap: true }, /^deployed +no; the agent brings Zarf's state/m],
  ["it was never deployed", {}, /^deployed +no$/m],
  ["there are no images", {}, /^images +none$/m],
  [
    "all images are there",
    { images: { total: 2, missing: [], bytes: 0 } },
    /2, all in the registry$/m,
  ],
  [
    "the registry is silent",
    { images: { total: 2 } },
    /^images +2; what is in the registry is not/m,
  ],
];

for (const [name, more, expected] of HEADS) {
  Deno.test(`a plan's head says that ${name}`, () => {
    assert.match(planText({ ...PLAN, ...more }), expected);
  });
}

interface Case {
  readonly name: string;
  readonly step: PlannedStep;
  readonly expected: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "a command of several lines that sets variables",
    step: {
      kind: "action",
      step: "x",
      stage: "before",
      title: "make it",
      text: "a\nb \u001b[31m\n",
      sets: ["X", ".y"],
    },
    expected: ["  action before: make it", "      $ a", "      $ b  [31m", "      sets X, .y"],
  },
  {
    name: "a command that is its own title",
    step: { kind: "action", step: "x", stage: "after", title: "true", text: "true", sets: [] },
    expected: ["  action after: true"],
  },
  {
    name: "files",
    step: {
      kind: "files",
      step: "x",
      files: [
        { target: "/opt/a", symlinks: ["/bin/a", "/bin/b"], executable: true },
        { target: "b", symlinks: [], executable: false },
      ],
    },
    expected: ["  file /opt/a (executable) <- /bin/a <- /bin/b", "  file b"],
  },
  {
    name: "a repository",
    step: { kind: "repository", step: "x", name: "app-123" },
    expected: ["  git repository app-123"],
  },
  {
    name: "data",
    step: { kind: "dataInjection", step: "x", target: "/data of container c" },
    expected: ["  data for /data of container c"],
  },
  {
    name: "health checks",
    step: { kind: "healthChecks", objects: ["v1 Pod a in b"] },
    expected: ["  health check: v1 Pod a in b"],
  },
  {
    name: "a release with objects of every outcome",
    step: {
      ...RELEASE,
      namespaces: ["shop"],
      secrets: ["shop/private-registry"],
      forgotten: [4],
      waits: false,
      objects: [
        { ...OBJECT, outcome: "created", namespace: "shop" },
        { ...OBJECT, outcome: "deleted" },
        { ...OBJECT, outcome: "unchanged" },
        { ...OBJECT, outcome: "runs", role: "hook" },
        { ...OBJECT, outcome: "unknown", reason: "its kind is not there yet" },
        { ...OBJECT, outcome: "refused", reason: "no" },
      ],
    },
    expected: [
      "  chart web: release web in shop, upgrade of revision 3; half-done revision 4 is forgotten",
      "      + Namespace shop",
      "      + pull secret shop/private-registry",
      "      + ConfigMap c in shop",
      "      - ConfigMap c",
      "      > ConfigMap c (hook)",
      "      ? ConfigMap c: its kind is not there yet",
      "      ! ConfigMap c: no",
      "      = 1 unchanged",
      "      is not waited for",
    ],
  },
  {
    name: "a release that nobody knows yet",
    step: { ...RELEASE, action: "unknown", reason: "it is known when actions have set V" },
    expected: [
      "  chart web: release web in shop, unknown",
      "      ! it is known when actions have set V",
    ],
  },
  {
    name: "fields that change",
    step: {
      ...RELEASE,
      objects: [{
        ...OBJECT,
        outcome: "changed",
        moreChanges: 2,
        changes: [
          { path: "a", change: "changed", before: 1, after: { b: 2 } },
          { path: "b", change: "added", after: "x" },
          { path: "c", change: "removed", before: [1] },
          { path: "d", change: "changed", secret: true },
          { path: "e", change: "changed", before: "1\n2\n3\n4", after: "1\ntwo\n2b\n3\n4" },
        ],
      }],
    },
    expected: [
      "  chart web: release web in shop, upgrade of revision 3",
      "      ~ ConfigMap c",
      '          a: 1 -> {"b":2}',
      "          b: added x",
      "          c: removed [1]",
      "          d: changed (secret)",
      "          e: changed",
      "            - 2",
      "            + two",
      "            + 2b",
      "          … and 2 more fields",
    ],
  },
];

for (const { name, step, expected } of CASES) {
  Deno.test(`a plan for people shows ${name}`, () => {
    assert.deepEqual(linesOf(step), expected);
  });
}

Deno.test("long texts and many fields are cut, and what is left is counted", () => {
  const after = Array.from({ length: 30 }, (_, at) => `line ${at}`).join("\n");
  const changes = [
    { path: "text", change: "added" as const, after },
    ...Array.from({ length: 50 }, (_, at) => ({
      ...{ path: `f${at}`, change: "added" as const, after: at },
    })),
  ];
  const lines = linesOf({ ...RELEASE, objects: [{ ...OBJECT, outcome: "changed", changes }] });
  assert.ok(lines.includes("            + … 10 more lines"), lines.join("\n"));
  assert.equal(lines.at(-1), "          … and 11 more fields");
});

Deno.test("what would follow a failure is named", () => {
  const action = { kind: "action", step: "x", stage: "onFailure", text: "a", sets: [] } as const;
  const text = planText({
    ...PLAN,
    components: [{
      ...{ name: "web", deployed: true, why: "chosen", note: "all is well", steps: [] },
      onFailure: [{ ...action, title: "say it" }],
    }],
  });
  assert.match(text, /^component web \(chosen\): all is well\n {2}should it fail: say it$/m);
});
