/**
 * Sources of packages for the real zarf.
 *
 * @module
 */
import { dump } from "js-yaml";
import { HELLO_WORLD } from "./image_archives.ts";

/** A small object for the cluster. */
export const CONFIG_MAP =
  "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { key: value }\n";

/** A path that no plain tar header can hold. */
export const LONG_PATH = `${
  "directory-with-a-long-name/".repeat(9)
}file-at-the-bottom-of-the-tree.txt`;

/** Strings that YAML takes for something else where they are not quoted. */
export const ODD_STRINGS: readonly string[] = [
  ...["1.10", "007", "null", "~", "yes", "a: b # c", "two\nlines\n", " x ", "0x1F"],
];

/** A definition with everything that needs no network; its images lie in `../hello.tar`. */
export const EVERYTHING: Readonly<Record<string, unknown>> = {
  // A short commit hash: zarf writes it without quotes, and it looks like a number.
  metadata: {
    name: "everything",
    version: "7e12345",
    description: "all: of # it",
    allowNamespaceOverride: false,
    annotations: { "example.org/a": "1.10" },
  },
  documentation: { readme: "README.md" },
  values: { files: ["values.yaml"], schema: "values.schema.json" },
  variables: [{ name: "V", default: "1e3", sensitive: true, pattern: ".*", type: "file" }],
  constants: ODD_STRINGS.map((value, at) => ({ name: `C${at}`, value })),
  components: [
    {
      name: "images",
      required: true,
      only: { flavor: "upstream" },
      imageArchives: [{ path: "../hello.tar", images: [HELLO_WORLD] }],
    },
    { name: "images", only: { flavor: "other" }, files: [{ source: "cm.yaml", target: "x" }] },
    {
      name: "files",
      files: [
        { source: "tree", target: "/opt/tree", symlinks: ["/usr/bin/x"] },
        { source: "cm.yaml", target: "cm.yaml", executable: true },
      ],
    },
    {
      name: "cluster",
      default: true,
      manifests: [
        { name: "raw", namespace: "a", files: ["cm.yaml"], noWait: true },
        { name: "kustom", namespace: "a", kustomizations: ["kustom"] },
      ],
      charts: [
        {
          name: "demo",
          version: "0.1.0",
          namespace: "a",
          localPath: "chart",
          valuesFiles: ["chart-values.yaml"],
          values: [{ sourcePath: ".site", targetPath: ".site" }],
        },
        { name: "bare", namespace: "a", localPath: "chart" },
      ],
      healthChecks: [{ apiVersion: "v1", kind: "Pod", namespace: "a", name: "b" }],
      scripts: { before: ["echo old"], retry: true, timeoutSeconds: 5 },
      actions: {
        onDeploy: {
          before: [{ cmd: "echo one", setVariable: "OLD" }],
          after: [{ cmd: "true", setVariables: [{ name: "NEW", sensitive: true }] }],
          onSuccess: [{ wait: { cluster: { kind: "Pod", name: "x", condition: "Ready" } } }],
        },
      },
    },
  ],
};

/** The files that {@linkcode EVERYTHING} names. */
export const EVERYTHING_FILES: Readonly<Record<string, string>> = {
  "cm.yaml": CONFIG_MAP,
  "kustom/cm.yaml": CONFIG_MAP,
  "kustom/kustomization.yaml": "resources: [cm.yaml]\nnamePrefix: my-\n",
  "chart/Chart.yaml": "apiVersion: v2\nname: demo\nversion: 0.1.0\n",
  "chart/templates/cm.yaml": CONFIG_MAP,
  "chart-values.yaml": "a: 1\n",
  "values.yaml": "site: { name: x }\n",
  "values.schema.json": '{ "type": "object" }',
  "README.md": "# Read this\n",
  "tree/real": "real\n",
  [`tree/${LONG_PATH}`]: "deep\n",
};

/** Writes a package's source: files by their paths, zarf.yaml from its value. */
export async function writeSource(
  directory: string,
  definition: Readonly<Record<string, unknown>>,
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const all = { "zarf.yaml": dump({ kind: "ZarfPackageConfig", ...definition }), ...files };
  for (const [path, text] of Object.entries(all)) {
    const full = `${directory}/${path}`;
    await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(full, text);
  }
  return directory;
}
