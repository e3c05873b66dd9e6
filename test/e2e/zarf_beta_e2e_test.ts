import assert from "node:assert/strict";
import { loadAll } from "js-yaml";
import { betaRows } from "../conformance/table.ts";
import { withDirectory } from "../fakes/testing.ts";
import { MemorySink, sourceOf } from "../fixtures/package_sink.ts";
import { readPackage } from "../../src/package/mod.ts";
import { digestOf } from "../../src/std/mod.ts";
import { Origin } from "./support/git_packages.ts";
import { dockerArchive, HELLO_WORLD } from "./support/image_archives.ts";
import { zarfCreate } from "./support/zarf.ts";
import { CONFIG_MAP, writeSource } from "./support/zarf_sources.ts";

/*
 * Every field of v1beta1 in a package that the real zarf makes: it stands in the v1alpha1 document,
 * which is the one that is read, where docs/zarf-schema.md says.
 */

const SHELL = { linux: "sh", darwin: "zsh", windows: "pwsh" };

/** Fields of an action; `name` makes the values of each list others. */
function action(name: string): Record<string, unknown> {
  return {
    cmd: `echo ${name}`,
    description: `says ${name}`,
    silent: true,
    dir: `dir-${name}`,
    env: [`NAME=${name}`],
    retries: name.length,
    maxTotalSeconds: 60 + name.length,
    shell: SHELL,
    setValues: [{ key: `.${name}`, type: "json" }],
    enableTemplating: true,
  };
}

/** Waits of both kinds. */
function waits(name: string): Record<string, unknown>[] {
  return [
    { wait: { cluster: { kind: "Pod", name, namespace: `ns-${name}`, condition: "Ready" } } },
    { wait: { network: { protocol: "http", address: `${name}.example.com:80`, code: 204 } } },
  ];
}

const ACTIONS = {
  onDeploy: {
    defaults: {
      silent: true,
      maxTotalSeconds: 77,
      retries: 3,
      dir: "below",
      env: ["D=defaults"],
      shell: SHELL,
    },
    before: [action("before"), ...waits("before")],
    onSuccess: [action("success"), ...waits("success")],
    onFailure: [action("failure"), ...waits("failure")],
  },
  onRemove: { before: [action("remove")] },
  onCreate: { before: [{ cmd: "true", description: "creates" }] },
};

function definitionOf(repository: string): Record<string, unknown> {
  return {
    apiVersion: "zarf.dev/v1beta1",
    kind: "ZarfPackageConfig",
    metadata: {
      name: "beta",
      version: "0.0.1",
      description: "every field",
      uncompressed: true,
      annotations: { "example.com/a": "b" },
      preventNamespaceOverride: true,
    },
    documentation: { readme: "README.md" },
    values: { files: ["values.yaml"], schema: "values.schema.json" },
    components: [{
      name: "all",
      description: "all of it",
      optional: true,
      selector: { architecture: "amd64", flavor: "upstream" },
      target: { os: "linux" },
      stateAccess: ["registryCredentials"],
      imageArchives: [{ path: "../hello.tar", images: [HELLO_WORLD] }],
      repositories: [{ url: repository, ref: { tag: "v1" } }],
      manifests: [{
        name: "m",
        namespace: "beta",
        files: ["cm.yaml"],
        skipWait: true,
        serverSideApply: "true",
        enableTemplating: true,
        kustomize: { files: ["k"], allowAnyDirectory: true, enablePlugins: true },
      }],
      charts: [{
        name: "c",
        namespace: "charts",
        releaseName: "called",
        local: { path: "chart" },
        skipWait: true,
        skipSchemaValidation: true,
        serverSideApply: "false",
        valuesFiles: [{ path: "plain.yaml" }, { path: "filled.yaml", enableTemplating: true }],
        values: [{ sourcePath: ".a", targetPath: ".b", excludePaths: [".a.c"] }],
      }],
      files: [{
        source: "cm.yaml",
        checksum: digestOf(CONFIG_MAP).slice("sha256:".length),
        destination: "/opt/cm.yaml",
        executable: true,
        symlinks: ["/opt/link"],
        enableTemplating: true,
      }],
      actions: ACTIONS,
    }],
  };
}

const FILES = {
  "cm.yaml": CONFIG_MAP,
  "README.md": "read me\n",
  "values.yaml": "a: { b: 1 }\n",
  "values.schema.json": "{}",
  "plain.yaml": "x: 1\n",
  "filled.yaml": "y: 2\n",
  "k/kustomization.yaml": "resources: [cm.yaml]\n",
  "k/cm.yaml": CONFIG_MAP,
  "chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.2.3\n",
  "chart/templates/cm.yaml": CONFIG_MAP,
};

/** Fields that only other packages have: made with a network, by an older Zarf, for a differential. */
const NOT_HERE = [
  /^components\.(images|import|service|charts\.(git|oci|helmRepository)|files\.extractPath)\b/,
  /\.ref\.(branch|commit)$/,
  /^build\.(migrations|user|hostname|registryOverrides|differential\w*)$/,
];
/** Fields whose value stands there as the opposite. */
const OPPOSITE = /\.(optional|preventNamespaceOverride|skipSchemaValidation)$/;

/** What is at a path, in all lists on the way; `*` is any of the lists of actions. */
function valuesAt(document: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(document)) return document.flatMap((member) => valuesAt(member, path));
  const [key, ...below] = path;
  if (key === undefined) return document === undefined ? [] : [document];
  if (typeof document !== "object" || document === null) return [];
  const members = document as Record<string, unknown>;
  const keys = key === "*" ? ["before", "after", "onSuccess", "onFailure"] : [key];
  return keys.flatMap((name) => valuesAt(members[name], below));
}

function isLeaf(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** Whether a value of v1alpha1 is what one of v1beta1 became. */
function standsFor(path: string, value: unknown, found: unknown): boolean {
  if (OPPOSITE.test(path)) return found === (value !== true);
  // The name of a file in the list of those that are templates says it.
  if (path.endsWith("valuesFiles.enableTemplating")) return value === true;
  const [url, ref] = String(found).split("@");
  if (path.endsWith("repositories.url")) return url === value;
  return path.includes(".ref.") ? ref === value : found === value;
}

Deno.test("each field of v1beta1 stands in the v1alpha1 document where the table says", () =>
  withDirectory(async (dir) => {
    await dockerArchive("docker-graph-driver-image-store", `${dir}/hello.tar`);
    const { url } = await Origin.make(dir);
    const definition = definitionOf(url);
    const source = await writeSource(`${dir}/source`, definition, FILES);
    const flags = ["--architecture=amd64", "--skip-sbom", "--flavor=upstream"];
    const bytes = await Deno.readFile(
      await zarfCreate(source, `${dir}/out`, [...flags, "--features=values=true"]),
    );
    const sink = new MemorySink();
    await readPackage(sourceOf(bytes), { format: "tar", architecture: "amd64", sink });
    const yaml = new TextDecoder().decode(sink.files.get("zarf.yaml")?.content);
    const [alpha, beta] = ["zarf.dev/v1alpha1", "zarf.dev/v1beta1"].map((version) =>
      loadAll(yaml).find((document) => valuesAt(document, ["apiVersion"])[0] === version)
    );
    const untold: string[] = [];
    for (const { path, alpha: where } of betaRows()) {
      const values = valuesAt(beta, path.split("."));
      if (where === undefined || path === "apiVersion" || path.endsWith(".**")) continue;
      if (values.length === 0) untold.push(path);
      if (!values.every(isLeaf)) continue;
      const there = valuesAt(alpha, where.split(".")).flat();
      if (path.endsWith("valuesFiles.path")) {
        there.push(...valuesAt(alpha, ["components", "charts", "templatedValuesFiles"]).flat());
      }
      for (const value of values) {
        const found = there.some((one) => standsFor(path, value, one)) ||
          // What is not said is not required.
          (path === "components.optional" && value === true && there.length === 0);
        assert(found, `${path}: ${value} is not at ${where}: ${JSON.stringify(there)}`);
      }
    }
    assert.deepEqual(
      untold.filter((path) => !NOT_HERE.some((pattern) => pattern.test(path))),
      [],
      "fields without a value",
    );
  }));
