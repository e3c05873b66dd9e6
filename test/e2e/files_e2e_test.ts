import assert from "node:assert/strict";
import { placeFiles } from "../../src/deploy/mod.ts";
import { parseDefinition } from "../../src/package/mod.ts";
import { withDirectory } from "../fakes/testing.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { zarf, zarfCreate } from "./support/zarf.ts";

/** Texts end with a line break, which zarf adds, and have no other than Zarf's. */
const SOURCES: Readonly<Record<string, readonly [mode: number, content: string]>> = {
  "a.txt": [0o644, "a ###ZARF_VAR_A###\n  ###ZARF_VAR_LINES###\n"],
  "run.sh": [0o755, "#!/bin/sh\necho ###ZARF_VAR_A###\n"],
  "bin": [0o644, "binary \0 ###ZARF_VAR_A###"],
  "empty": [0o644, ""],
  "dir/sub/tool": [0o755, "###ZARF_VAR_UNKNOWN### ###ZARF_CONST_C###\n"],
  "dir/y": [0o644, "y\n"],
};

const DEFINITION = {
  kind: "ZarfPackageConfig",
  metadata: { name: "files", version: "1.0.0" },
  variables: [
    { name: "A", default: "value" },
    { name: "LINES", default: "one\ntwo", autoIndent: true },
  ],
  constants: [{ name: "C", value: "constant" }],
  components: [{
    name: "f",
    required: true,
    files: [
      { source: "a.txt", target: "out/a.txt", symlinks: ["out/links/one"] },
      { source: "run.sh", target: "out/run.sh" },
      { source: "run.sh", target: "out/exec", executable: true },
      { source: "bin", target: "out/bin" },
      { source: "dir", target: "out/dir" },
      { source: "empty", target: "out/empty" },
    ],
  }],
};

/** Mode and content of every file below a directory; of directories neither. */
function tree(root: string, path = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name } of Deno.readDirSync(`${root}/${path}`)) {
    const below = `${path}/${name}`;
    const { mode, isDirectory, isSymlink } = Deno.lstatSync(root + below);
    if (isDirectory) Object.assign(found, tree(root, below));
    else if (isSymlink) found[below] = "link";
    else {found[below] = `${((mode ?? 0) & 0o777).toString(8)} ${
        Deno.readTextFileSync(root + below)
      }`;}
  }
  return found;
}

Deno.test("files are put in their places with content and modes as by the real zarf", () =>
  withDirectory(async (directory) => {
    const source = `${directory}/source`;
    for (const [path, [mode, content]] of Object.entries(SOURCES)) {
      const file = `${source}/${path}`;
      Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(file, content);
      Deno.chmodSync(file, mode);
    }
    Deno.writeTextFileSync(`${source}/zarf.yaml`, JSON.stringify(DEFINITION));
    const file = await zarfCreate(source, directory, ["--skip-sbom", "--architecture=amd64"]);

    const byZarf = `${directory}/zarf`;
    Deno.mkdirSync(byZarf);
    const cache = `--zarf-cache=${directory}/cache`;
    const deployed = await zarf(["package", "deploy", file, "--confirm", cache], byZarf);
    assert.ok(deployed.ok, deployed.text);

    await using agent = new LocalAgent();
    const path = await agent.drop(file);
    await agent.started({});
    await agent.settled(path, { phases: ["Accepted"] });
    const [digest] = [...Deno.readDirSync(`${agent.dataDir}/packages`)].map(({ name }) => name);
    const unpacked = `${agent.dataDir}/packages/${digest}`;
    const [component] = parseDefinition(Deno.readFileSync(`${unpacked}/zarf.yaml`)).components;
    assert.ok(component);
    const own = `${directory}/holdfast`;
    await placeFiles(component, {
      ...{ work: own, home: `${directory}/home`, temp: `${directory}/temp`, roots: [] },
      directory: `${unpacked}/components/f`,
      templates: new Map([
        ["###ZARF_VAR_A###", { value: "value" }],
        ["###ZARF_VAR_LINES###", { value: "one\ntwo", autoIndent: true }],
        ["###ZARF_CONST_C###", { value: "constant" }],
      ]),
      fillTemplates: () => assert.fail("nothing is a template"),
    });
    const expected = tree(byZarf);
    assert.equal(Object.keys(expected).length, 8);
    assert.deepEqual(tree(own), expected);
    assert.equal(
      Deno.readTextFileSync(`${own}/out/links/one`),
      Deno.readTextFileSync(`${own}/out/a.txt`),
      "a link leads to its file, also where the target is relative",
    );
    await agent.stop();
  }));
