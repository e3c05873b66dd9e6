import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import {
  DeployError,
  Helm,
  type Manifest,
  postRender,
  readObjects,
  serializeSettings,
  writeRawChart,
} from "../../src/deploy/mod.ts";
import { exec } from "../../src/std/mod.ts";
import { POST_RENDERER } from "./support/deploy_fixture.ts";

/*
 * The real helm renders the charts that Holdfast makes, with Holdfast as its post-renderer. No
 * cluster is needed.
 */

const TEMPLATES = new Map([["###ZARF_CONST_TAG###", { value: "1.0.0" }]]);
const OPTIONS = { packageName: "shop", templates: TEMPLATES };

interface Place extends Disposable {
  readonly directory: string;
  readonly settings: string;
  readonly helm: Helm;
  /** Runs `helm template` with the post-renderer, as `helm upgrade` would. */
  template(chart: string): Promise<{ code: number; stdout: string; stderr: string }>;
}

/** A directory whose path has a space in it, which Helm splits commands at. */
async function makePlace(): Promise<Place> {
  const directory = Deno.makeTempDirSync({ prefix: "helm render " });
  const binary = await ensureTool(TOOLS.helm);
  const settings = `${directory}/settings.json`;
  Deno.writeTextFileSync(settings, serializeSettings(OPTIONS));
  const home = `${directory}/home`;
  const helm = new Helm({
    exec,
    helm: binary,
    home,
    kubeconfig: "/nowhere",
    postRenderer: POST_RENDERER,
  });
  return {
    directory,
    settings,
    helm,
    template: (chart) =>
      exec(binary, {
        args: ["template", "rel", chart, "--namespace", "shop", "--post-renderer", "holdfast"],
        env: {
          HOME: home,
          HELM_PLUGINS: `${home}/plugins`,
          HELM_CACHE_HOME: `${home}/cache`,
          HELM_CONFIG_HOME: `${home}/config`,
          HELM_DATA_HOME: `${home}/data`,
          HOLDFAST_EXECUTABLE: POST_RENDERER.command,
          HOLDFAST_POST_RENDER: settings,
        },
        timeout: 60_000,
      }),
    [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }),
  };
}

/** What a raw chart must pass through Helm unharmed. */
const AWKWARD = [
  'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  go: "{{ .Values.x }} {{-"\n',
  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata:\n  text: |\n" +
  '    back\\slash `tick` "quote" é tab\there\n    ###ZARF_CONST_TAG###\n',
  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  - odd\n---\n# nothing\n---\n" +
  'apiVersion: v1\nkind: Secret\nmetadata: {name: d}\nstringData: {a: "yes", b: "0777", c: "1e3"}\n',
];

/** Helm sorts what it renders by kind. */
function byName(objects: readonly Manifest[]): Manifest[] {
  return objects.toSorted((a, b) => a.metadata.name < b.metadata.name ? -1 : 1);
}

Deno.test("a raw chart comes out of Helm as it went in", async () => {
  using place = await makePlace();
  const chart = `${place.directory}/chart`;
  writeRawChart(chart, "raw-shop-web-web", "0.1.1795362712", AWKWARD);
  const rendered = await place.helm.render({
    release: "rel",
    namespace: "shop",
    chart,
    valuesFiles: [],
    settings: place.settings,
    schemaValidation: true,
    serverSide: "auto",
    timeout: 10_000,
  });
  assert.deepEqual(
    byName(readObjects(rendered)),
    byName(AWKWARD.flatMap((text) => readObjects(text))),
  );
});

Deno.test("Helm applies just what was post-rendered", async () => {
  using place = await makePlace();
  const chart = `${place.directory}/chart`;
  writeRawChart(chart, "raw-shop-web-web", "0.1.1795362712", AWKWARD);
  const result = await place.template(chart);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(
    byName(readObjects(result.stdout)),
    byName(postRender(AWKWARD.join("\n---\n"), OPTIONS).objects),
  );
});

Deno.test("a chart of nothing but a namespace is no error to Helm", async () => {
  using place = await makePlace();
  const chart = `${place.directory}/chart`;
  writeRawChart(chart, "raw-shop-web-ns", "0.1.1", [
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
  ]);
  const result = await place.template(chart);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(readObjects(result.stdout), []);
});

Deno.test("a chart that cannot be rendered is refused with Helm's own reason", async () => {
  using place = await makePlace();
  const chart = `${place.directory}/chart`;
  writeRawChart(chart, "broken", "0.1.1", []);
  Deno.writeTextFileSync(`${chart}/templates/x.yaml`, '{{ fail "the port is missing" }}');
  await assert.rejects(
    place.helm.render({
      release: "rel",
      namespace: "shop",
      chart,
      valuesFiles: [],
      settings: place.settings,
      schemaValidation: true,
      serverSide: "auto",
      timeout: 10_000,
    }),
    (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "PackageBroken");
      assert.match(error.message, /the port is missing/);
      return true;
    },
  );
});

Deno.test("a post-renderer that fails leaves its reason beside the settings", async () => {
  using place = await makePlace();
  const chart = `${place.directory}/chart`;
  writeRawChart(chart, "raw-a", "0.1.1", AWKWARD);
  Deno.writeTextFileSync(place.settings, '{"packageName": 7}');
  const result = await place.template(chart);
  assert.notEqual(result.code, 0);
  assert.match(Deno.readTextFileSync(`${place.settings}.error`), /packageName|Invalid type/);
});
