import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { DeployError } from "./errors.ts";
import { siteValues, valuesOf, valuesSchemaOf } from "./package_values.ts";

Deno.test("the package's own values come first, the site's over them", () =>
  withDirectory((dir) => {
    const site = siteValues(["b: 2"], { "c.d": "3", ".e": "'4'" });
    assert.deepEqual(site, [
      { yaml: "b: 2" },
      { set: { path: ".c.d", text: "3", type: "inferred" } },
      { set: { path: ".e", text: "'4'", type: "inferred" } },
    ]);
    assert.deepEqual(valuesOf(dir), []);
    assert.deepEqual(valuesOf(dir, site), site);
    assert.equal(valuesSchemaOf(dir), undefined);
    Deno.writeTextFileSync(`${dir}/values.yaml`, "a: 1");
    Deno.writeTextFileSync(`${dir}/values.schema.json`, "{}");
    assert.deepEqual(valuesOf(dir, site), [{ yaml: "a: 1" }, ...site]);
    assert.equal(valuesSchemaOf(dir), "{}");
  }));

Deno.test("values that are no text, or too long, are the package's fault", () =>
  withDirectory((dir) => {
    Deno.writeFileSync(`${dir}/values.yaml`, new Uint8Array([0xff, 0xfe]));
    using file = Deno.createSync(`${dir}/values.schema.json`);
    file.truncateSync((32 << 20) + 1);
    for (const [read, name] of [[valuesOf, "values.yaml"], [valuesSchemaOf, "schema"]] as const) {
      assert.throws(() => read(dir), (error) => {
        assert.ok(error instanceof DeployError);
        assert.equal(error.reason, "PackageBroken");
        assert.match(error.message, new RegExp(name));
        return true;
      });
    }
  }));
