import assert from "node:assert/strict";
import { withDirectory } from "../../../test/fakes/testing.ts";
import { ensureTool, TOOLS } from "../go_tools.ts";
import { goPackages, modulesIn, noticesIn } from "./go_packages.ts";

const INFO = [
  "helm: go1.26.8",
  "\tpath\tholdfast.dev/extension/helm",
  "\tmod\tholdfast.dev/extension/helm\t(devel)\t",
  "\tdep\tdario.cat/mergo\tv1.0.1\th1:Ra4=",
  "\tdep\tgithub.com/xeipuuv/gojsonschema\tv1.2.0",
  "\t=>\tgithub.com/defenseunicorns/gojsonschema\tv0.0.1\th1:gwe=",
  "\tbuild\tCGO_ENABLED=0",
].join("\n");

Deno.test("a program's modules are those that were linked, a replaced one by what replaced it", () => {
  assert.deepEqual(modulesIn(INFO), [
    "dario.cat/mergo@v1.0.1",
    "github.com/defenseunicorns/gojsonschema@v0.0.1",
  ]);
});

Deno.test("a module that a program is the command of counts, too", () => {
  assert.deepEqual(modulesIn("\tmod\tgithub.com/x/registry\tv3.0.0\th1:x="), [
    "github.com/x/registry@v3.0.0",
  ]);
});

Deno.test("every module of the real helm has a version and a licence, and Go itself", async () => {
  const packages = await goPackages(await ensureTool(TOOLS.helm), TOOLS.helm);
  const names = packages.map(({ name }) => name);
  for (const name of ["Go standard library", "helm.sh/helm/v4", "k8s.io/kubectl"]) {
    assert(names.includes(name), `${name} is missing among ${names.length}`);
  }
  for (const { name, version, notice, purl } of packages) {
    assert.match(version, /^v?\d/, name);
    assert.match(purl, /^pkg:golang\/[^ ]+@v?\d/, name);
    assert(notice.length > 100, name);
  }
});

Deno.test("notices are found by the names that they usually have, whatever else is there", async () => {
  await withDirectory(async (dir) => {
    assert.throws(() => noticesIn(dir, "a module"), /a module comes without a file/);
    for (const name of ["LICENSE.md", "NOTICE", "license_test.go", "main.go"]) {
      await Deno.writeTextFile(`${dir}/${name}`, `text of ${name}\n`);
    }
    await Deno.mkdir(`${dir}/LICENSES`);
    assert.equal(noticesIn(dir, "a module"), "text of LICENSE.md\n\ntext of NOTICE");
  });
});
