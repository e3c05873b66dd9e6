import assert from "node:assert/strict";
import { load } from "js-yaml";
import { manifestYaml } from "../../extension/build/image/service.ts";
import { extensionList } from "./root_fs.ts";

Deno.test("the list of extensions has what the manifest says of this one", () => {
  const list = load(extensionList(manifestYaml("1.2.3"))) as { layers: unknown[] };
  const { metadata } = load(manifestYaml("1.2.3")) as { metadata: unknown };
  assert.deepEqual(list.layers, [{ image: "000.holdfast.sqsh", metadata }]);
  assert.throws(() => extensionList("version: v1alpha1\n"), /no metadata/);
});
