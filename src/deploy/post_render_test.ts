import assert from "node:assert/strict";
import {
  POST_RENDER_COPY,
  POST_RENDER_SETTINGS,
  postRender,
  runPostRenderer,
  serializeSettings,
} from "./post_render.ts";
import type { Template } from "./template.ts";
import { readObjects } from "./yaml.ts";

const TEMPLATES = new Map<string, Template>([
  ["###ZARF_CONST_TAG###", { value: "1.0.0" }],
  ["###ZARF_VAR_BLOCK###", { value: "one\ntwo", autoIndent: true }],
]);
const OPTIONS = { packageName: "app-small", templates: TEMPLATES };

/** As Helm 4 hands it over: sorted, hooks included, each with the name of its file. */
const RENDERED = `apiVersion: v1
kind: Namespace
metadata:
  name: app
  labels: {owner: me}
  annotations:
    postrenderer.helm.sh/postrender-filename: 'raw/templates/secret-path.yaml'
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: app
  annotations:
    postrenderer.helm.sh/postrender-filename: 'raw/templates/web.yaml'
spec:
  selector:
    matchLabels: &labels {app: web}
  template:
    metadata:
      labels: *labels
    spec:
      automountServiceAccountToken: no
      containers:
        - name: web
          image: "app:###ZARF_CONST_TAG###"
          args: ["yes", '0777', 0x10, 12345678901234567890]
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: other
  labels:
    zarf.dev/connect-name: app
  annotations:
    zarf.dev/connect-description: The app
    zarf.dev/connect-url: /start
---
apiVersion: v1
kind: Pod
metadata:
  name: hook
  annotations: {"helm.sh/hook": pre-install}
spec:
  containers: [{name: a, image: "app:###ZARF_CONST_TAG###"}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data:
  text: |
    ###ZARF_VAR_BLOCK###
`;

Deno.test("every object but a hook gets the package's label", () => {
  const objects = readObjects(postRender(RENDERED, OPTIONS).yaml);
  assert.deepEqual(
    objects.map(({ kind, metadata }) => [kind, metadata.labels?.["zarf.dev/package"]]),
    [
      ["Deployment", "app-small"],
      ["Service", "app-small"],
      ["Pod", undefined],
      ["ConfigMap", "app-small"],
    ],
  );
});

Deno.test("a pod template gets the label and the selector that shares its anchor does not", () => {
  const [deployment] = postRender(RENDERED, OPTIONS).objects;
  const spec = deployment?.["spec"] as {
    selector: { matchLabels: unknown };
    template: { metadata: { labels: unknown } };
  };
  assert.deepEqual(spec.selector.matchLabels, { app: "web" });
  assert.deepEqual(spec.template.metadata.labels, { app: "web", "zarf.dev/package": "app-small" });
});

Deno.test("a pod template without labels gets none", () => {
  const { objects } = postRender(
    "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {x: 1}}}\n",
    OPTIONS,
  );
  assert.deepEqual(objects[0]?.["spec"], { template: { spec: { x: 1 } } });
});

Deno.test("namespaces are taken out, labelled, and carry no path of this machine", () => {
  const rendered = postRender(RENDERED, OPTIONS);
  assert.doesNotMatch(rendered.yaml, /kind: Namespace/);
  assert.deepEqual(rendered.namespaces.map(({ metadata }) => metadata), [{
    name: "app",
    labels: { owner: "me", "zarf.dev/package": "app-small" },
    annotations: {},
  }]);
});

Deno.test("what Helm needs to find the file again stays on what goes back to Helm", () => {
  assert.match(
    postRender(RENDERED, OPTIONS).yaml,
    /postrender-filename: 'raw\/templates\/web.yaml'/,
  );
});

Deno.test("templates are filled in a second time, also in hooks", () => {
  const { yaml } = postRender(RENDERED, OPTIONS);
  assert.equal(yaml.match(/app:1\.0\.0/g)?.length, 2);
  const text = readObjects(yaml).find(({ kind }) => kind === "ConfigMap");
  assert.deepEqual(text?.["data"], { text: "one\ntwo\n" });
});

Deno.test("scalars keep the way they are written, so that nothing changes its type", () => {
  const { yaml } = postRender(RENDERED, OPTIONS);
  assert.match(yaml, /automountServiceAccountToken: no\n/);
  assert.match(yaml, /args: \["yes", '0777', 0x10, 12345678901234567890\]/);
});

Deno.test("connect strings come from labelled services", () => {
  assert.deepEqual(postRender(RENDERED, OPTIONS).connectStrings, {
    app: { description: "The app", url: "/start" },
  });
});

Deno.test("a chart of namespaces only still gives Helm something to read", () => {
  const { yaml, objects, namespaces } = postRender(
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
    OPTIONS,
  );
  assert.notEqual(yaml.trim(), "");
  assert.deepEqual(readObjects(yaml), []);
  assert.equal(objects.length, 0);
  assert.equal(namespaces.length, 1);
});

Deno.test("empty documents and comments are left out", () => {
  const { yaml } = postRender("# a\n---\n---\n{}\n---\nkind: A\nmetadata: {name: b}\n", OPTIONS);
  assert.equal(yaml.match(/^---$/gm)?.length, 1);
});

Deno.test("the objects of a list are seen one by one", () => {
  const { objects } = postRender(
    "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n" +
      "- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n",
    OPTIONS,
  );
  assert.deepEqual(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`), [
    "ConfigMap a",
    "Secret b",
  ]);
});

Deno.test("aliases that grow without end are refused", () => {
  const levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 7; level++) {
    levels.push(`a${level}: &a${level} [${Array(10).fill(`*a${level - 1}`).join(", ")}]`);
  }
  assert.throws(() => postRender(levels.join("\n"), OPTIONS), /too many nodes/);
});

Deno.test("the post-renderer works from a settings file and says there why it failed", () => {
  const directory = Deno.makeTempDirSync();
  const settings = `${directory}/settings.json`;
  try {
    Deno.writeTextFileSync(settings, serializeSettings(OPTIONS));
    const env = { [POST_RENDER_SETTINGS]: settings };
    assert.equal(runPostRenderer(RENDERED, env), postRender(RENDERED, OPTIONS).yaml);
    const copy = `${directory}/rendered.yaml`;
    const left = runPostRenderer(RENDERED, { ...env, [POST_RENDER_COPY]: copy });
    assert.deepEqual(readObjects(left), [], "nothing is left to apply");
    assert.notEqual(left, "", "which Helm would take for a failure");
    assert.equal(Deno.readTextFileSync(copy), RENDERED, "as Helm rendered it");
    assert.equal((Deno.statSync(copy).mode ?? 0) & 0o077, 0);
    assert.throws(() => runPostRenderer("a: [", env));
    assert.notEqual(Deno.readTextFileSync(`${settings}.error`), "");
    assert.throws(() => runPostRenderer("", {}), /HOLDFAST_POST_RENDER/);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a hook that runs after the objects is noticed", () => {
  const rows: [when: string, late: boolean][] = [
    ["post-install", true],
    ["post-upgrade", true],
    ["pre-install, post-upgrade", true],
    ["pre-install,pre-upgrade", false],
    ["post-delete,post-rollback", false],
    ["test", false],
  ];
  for (const [when, late] of rows) {
    const hook = "apiVersion: v1\nkind: Pod\nmetadata: {name: h, annotations: " +
      `{helm.sh/hook: "${when}"}}\n`;
    assert.equal(postRender(`${RENDERED}---\n${hook}`, OPTIONS).hasLateHooks, late, when);
  }
});
