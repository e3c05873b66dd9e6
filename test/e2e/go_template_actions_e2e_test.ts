import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { DeployError, deployPackage, siteValues } from "../../src/deploy/mod.ts";
import { parseDefinition } from "../../src/package/mod.ts";
import { dirname, isDigest } from "../../src/std/mod.ts";
import { newState, saveState } from "../../src/zarf/mod.ts";
import { ApiObjects, namespace } from "../fakes/api_objects.ts";
import { withDirectory } from "../fakes/testing.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { zarf, zarfCreate } from "./support/zarf.ts";

/*
 * Go templates in actions and files: packages without anything for a cluster, which the real zarf
 * deploys without one, and Holdfast with one in memory.
 */

const HELM = await ensureTool(TOOLS.helm);
const SITE_VALUES = "app: { name: site, port: 1234567 }\n";

/** An action that sets a value. */
const sets = (key: string, type: string, text: string) => ({
  cmd: `echo '${text}'`,
  setValues: [{ key, type }],
});
/** An action whose text is a template, and which leaves it in a file. */
const leaves = (name: string, text: string) => ({
  cmd: `echo '${text}' > ${name}`,
  template: true,
});

const DEFINITION = {
  kind: "ZarfPackageConfig",
  metadata: { name: "filled", version: "1.0.0" },
  variables: [{ name: "OUT" }, { name: "GREETING", default: "hello" }],
  constants: [{ name: "WORD", value: "constant" }],
  values: { files: ["values.yaml"] },
  components: [
    {
      name: "one",
      required: true,
      files: [
        { source: "conf", target: "out/conf", template: true },
        { source: "conf", target: "out/plain" },
        { source: "dir", target: "out/dir", template: true },
      ],
      actions: {
        onDeploy: {
          before: [
            sets(".db", "yaml", "{host: db.example, port: 5432}"),
            sets(".app.text", "", "{{ no template }}"),
            sets(".numbers", "json", "[1, 2]"),
            { cmd: "echo later", setVariables: [{ name: "SET" }] },
          ],
          after: [
            { cmd: "mkdir actions" },
            leaves(
              "actions/one",
              "{{ .Values.db.host }}:{{ .Values.db.port }} {{ .Variables.SET }}",
            ),
            sets(".db.host", "string", "other.example"),
          ],
        },
      },
    },
    {
      name: "two",
      required: true,
      files: [{ source: "host", target: "out/host", template: true }],
      actions: {
        onDeploy: {
          before: [leaves("actions/two", "{{ .Values.db | toJson }} {{ .Constants.WORD }}")],
          onSuccess: [
            leaves("actions/plain", "{{ .Values.app | toJson }}"),
            { cmd: 'echo "{{ .Values.app.name }}" > actions/no-template' },
            { cmd: 'cp -r out actions "$ZARF_VAR_OUT"' },
          ],
        },
      },
    },
  ],
};

const FILES: Readonly<Record<string, string>> = {
  "values.yaml": "app: { name: own, port: 1, flag: true }\n",
  "conf": "{{ .Values.app.name }} {{ .Values.app.port }} {{ .Values.app.text }} " +
    "###ZARF_VAR_GREETING### {{ .Variables.GREETING }} {{ .Pkg.Metadata.Name }}\n" +
    "{{ range .Values.numbers }}<{{ . }}>{{ end }} {{ .Values.set.by.site }}\n",
  "dir/deep/host": "{{ .Values.db.host | upper }}\n",
  "dir/port": "{{ .Values.db.port }}\n",
  "host": "{{ .Values.db.host }}\n",
};

/** A package file that the real zarf makes. */
async function create(
  directory: string,
  definition: unknown,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const source = `${directory}/source`;
  const all = { ...files, "zarf.yaml": JSON.stringify(definition) };
  for (const [path, text] of Object.entries(all)) {
    Deno.mkdirSync(dirname(`${source}/${path}`), { recursive: true });
    Deno.writeTextFileSync(`${source}/${path}`, text);
  }
  return await zarfCreate(source, directory, ["--skip-sbom", "--architecture=amd64"]);
}

/** Takes a package file in and deploys it into a cluster in memory. */
async function deployHere(file: string, out: string): Promise<void> {
  await using agent = new LocalAgent();
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
  await saveState(api.client, newState({ ...address, ipFamily: "ipv4" }));
  const path = await agent.drop(file);
  await agent.started({});
  await agent.settled(path, { phases: ["Accepted"] });
  await agent.stop();
  const [{ name: hex = "" } = {}] = [...Deno.readDirSync(`${agent.dataDir}/packages`)];
  const text = Deno.readFileSync(`${agent.dataDir}/packages/${hex}/zarf.yaml`);
  const digest = `sha256:${hex}`;
  assert.ok(isDigest(digest));
  await deployPackage({ definition: parseDefinition(text), digest, images: [] }, {
    kube: api.client,
    dataDir: agent.dataDir,
    kubeconfig: "/kubeconfig",
    tools: { helm: HELM, postRenderer: { command: "/holdfast", args: ["post-render"] } },
    actions: { policy: "always", trusted: false },
    variables: { OUT: out },
    values: siteValues([SITE_VALUES], { "set.by.site": "007" }),
  });
}

/** Deploys a package file with the real zarf, in a directory of its own. */
async function deployThere(file: string, directory: string, out: string) {
  const cwd = `${directory}/zarf`;
  Deno.mkdirSync(cwd);
  Deno.writeTextFileSync(`${directory}/site.yaml`, SITE_VALUES);
  return await zarf([
    ...["package", "deploy", file, "--confirm", `--zarf-cache=${directory}/cache`],
    ...[`--set=OUT=${out}`, `--values=${directory}/site.yaml`, "--set-values=set.by.site=007"],
  ], cwd);
}

/** The text of every file below a directory. */
function textsBelow(root: string, path = ""): Record<string, string> {
  return Object.assign(
    {},
    ...[...Deno.readDirSync(`${root}/${path}`)].map(({ name, isDirectory }) =>
      isDirectory
        ? textsBelow(root, `${path}${name}/`)
        : { [path + name]: Deno.readTextFileSync(`${root}/${path}${name}`) }
    ),
  );
}

Deno.test("actions and files are filled in with what actions before have set, as by zarf", () =>
  withDirectory(async (directory) => {
    const file = await create(directory, DEFINITION, FILES);
    const [own, theirs] = [`${directory}/own-out`, `${directory}/zarf-out`];
    for (const path of [own, theirs]) Deno.mkdirSync(path);
    const deployed = await deployThere(file, directory, theirs);
    assert.ok(deployed.ok, deployed.text);
    await deployHere(file, own);
    const found = textsBelow(own);
    assert.deepEqual(found, textsBelow(theirs));
    assert.equal(found["actions/one"], "db.example:5432 later\n");
    assert.equal(found["actions/two"], '{"host":"other.example","port":5432} constant\n');
    assert.equal(found["out/host"], "other.example\n");
    assert.equal(found["out/dir/deep/host"], "DB.EXAMPLE\n");
    assert.match(
      found["out/conf"] ?? "",
      /^site 1234567 \{\{ no template \}\} hello hello filled\n/,
    );
    assert.match(found["out/plain"] ?? "", /^\{\{ \.Values\.app\.name \}\}.* hello /);
    assert.equal(Object.keys(found).length, 9);
  }));

Deno.test("an action that names the package fails, as by zarf, and is named", () =>
  withDirectory(async (directory) => {
    const file = await create(directory, {
      kind: "ZarfPackageConfig",
      metadata: { name: "names", version: "1.0.0" },
      components: [{
        name: "one",
        required: true,
        actions: { onDeploy: { before: [leaves("never", "{{ .Pkg.Metadata.Name }}")] } },
      }],
    }, {});
    const deployed = await deployThere(file, directory, directory);
    assert.equal(deployed.ok, false);
    assert.match(deployed.text, /map has no entry for key "Pkg"/);
    await assert.rejects(deployHere(file, directory), (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "TemplateFailed");
      assert.match(
        error.message,
        /^component "one": action onDeploy\.before\[0\] .*map has no entry for key "Pkg"/,
      );
      return true;
    });
  }));
