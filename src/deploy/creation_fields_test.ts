import assert from "node:assert/strict";
import { fieldRows } from "../../test/conformance/table.ts";
import { writePackage } from "../../test/e2e/support/deploy_fixture.ts";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { HelmInMemory } from "../../test/fakes/helm_in_memory.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import { exec } from "../std/mod.ts";
import { newState, saveState } from "../zarf/mod.ts";
import { deployPackage } from "./deploy.ts";
import { writeRawChart } from "./raw_chart.ts";

type Json = Record<string, unknown>;

const SET = { before: [{ cmd: "echo deploy >> ../said" }] };

/** One of everything that a field may be a part of. */
const DEFINITION = {
  metadata: { name: "shop", version: "1" },
  build: {},
  constants: [{ name: "C", value: "constant" }],
  components: [{
    name: "web",
    required: true,
    only: {},
    import: {},
    imageArchives: [{}],
    manifests: [{ name: "m", namespace: "shop", files: ["m.yaml"] }],
    charts: [{
      name: "front",
      version: "1.2.3",
      namespace: "shop",
      variables: [{ name: "V", path: "v" }],
    }],
    files: [{ source: "s", target: "file.txt" }],
    actions: { onCreate: {}, onRemove: {}, onDeploy: { ...SET, defaults: { shell: {} } } },
  }],
};
const MANIFEST = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n` +
  `data: {value: "###ZARF_CONST_C###"}\n`;
const CHART = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: front}\n";
/** Values of those fields that are no text. */
const VALUES: Readonly<Record<string, unknown>> = {
  "metadata.uncompressed": true,
  "metadata.annotations": { a: "b" },
  "metadata.allowNamespaceOverride": false,
  "build.differential": true,
  "build.differentialPackageVersion": "0.9.0",
  "build.differentialMissing": ["web"],
  "build.registryOverrides": { "docker.io": "mirror.example.com" },
  "components.only.cluster": { architecture: "arm64", distros: ["k3s"] },
  "components.only.cluster.distros": ["k3s"],
  "components.import": { name: "other", path: "../other", url: "oci://example.com/other:1" },
  "components.manifests.kustomizeAllowAnyDirectory": true,
  "components.manifests.enableKustomizePlugins": true,
  "components.actions.onCreate.**": { ...SET, onFailure: SET.before },
  "components.actions.onRemove.**": { ...SET, onSuccess: SET.before },
};

/** A copy of a document with a value at a path; lists add nothing to it, `*` is any list of actions. */
function withField(document: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...below] = path;
  if (key === undefined || key === "**") return value;
  if (Array.isArray(document)) return document.map((member) => withField(member, path, value));
  const members = (document ?? {}) as Json;
  const name = key === "*" ? "before" : key;
  return { ...members, [name]: withField(members[name], below, value) };
}

/** What a deployment did: calls of Helm, writes to the cluster, what actions and files left. */
async function deployed(definition: Json): Promise<unknown> {
  await using api = new ApiObjects();
  const helm = new HelmInMemory(api);
  const dir = Deno.makeTempDirSync({ prefix: "holdfast fields " });
  let left: Json = {};
  try {
    api.put(namespace("zarf"));
    const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
    await saveState(api.client, newState({ ...address, ipFamily: "ipv4" }));
    api.writes.length = 0;
    const pkg = writePackage(dir, {
      definition,
      files: {
        "components/web/manifests/m-0.yaml": MANIFEST,
        "components/web/files/0/file.txt": "file",
      },
    });
    const charts = `${dir}/packages/${pkg.digest.slice(7)}/components/web/charts`;
    writeRawChart(`${charts}/front-1.2.3.tgz`, "front", "1.2.3", [CHART]);
    await deployPackage(pkg, {
      kube: api.client,
      dataDir: dir,
      kubeconfig: "/kubeconfig",
      tools: { helm: `${dir}/helm`, postRenderer: { command: "/holdfast", args: [] } },
      timeout: 30_000,
      clock: new TestClock(),
      exec: (command, options) =>
        command.endsWith("/helm") ? helm.exec(command, options) : exec(command, options),
      actions: { policy: "always", trusted: false },
      journal: {
        append({ step, state }) {
          if (step === "component/web/onSuccess/0") return;
          const work = `${dir}/deploy/shop`;
          if (`${state} ${step}` === "done component/web") {
            left = { said: read(`${work}/said`), file: read(`${work}/work/file.txt`) };
          }
        },
      },
    });
    const plain = (text: string) => text.replaceAll(/\/[^ ]*holdfast fields [^ ]*/g, "DIRECTORY");
    return {
      calls: helm.calls.map((call) => call.map(plain)),
      writes: api.writes,
      objects: ["m", "front"].map((name) => api.find("configmaps", name)?.["data"]),
      left,
    };
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function read(file: string): string | undefined {
  try {
    return Deno.readTextFileSync(file);
  } catch {
    return undefined;
  }
}

Deno.test("what only creating, removing or showing a package looks at changes no deployment", async (t) => {
  const paths = fieldRows()
    .filter(({ tests }) => tests.includes("nothing to do"))
    .map(({ path }) => path);
  assert(paths.length > 40, "the table says of these fields that they change nothing");
  const expected = await deployed(DEFINITION);
  const other = withField(DEFINITION, ["constants", "value"], "other");
  assert.equal((expected as { left: Json }).left["said"], "deploy\n");
  assert.notDeepEqual(await deployed(other as Json), expected, "what is done can be told apart");
  for (const path of paths) {
    await t.step(path, async () => {
      const given = withField(DEFINITION, path.split("."), VALUES[path] ?? "odd");
      assert.notDeepEqual(given, DEFINITION, "the field is there");
      assert.deepEqual(await deployed(given as Json), expected);
    });
  }
});
