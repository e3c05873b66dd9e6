import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { parseDefinition } from "../package/mod.ts";
import { DeployError } from "./errors.ts";
import { preflight } from "./preflight.ts";

function definition(variables: unknown[]) {
  return parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop" },
    components: [{ name: "web", required: true }],
    variables,
  })));
}

Deno.test("a variable may name a text file of at most 1 MiB on this machine", async () => {
  await withDirectory((directory) => {
    const rows: [name: string, content: Uint8Array | string | undefined, value: string][] = [
      ["text", "certificate\n", "certificate\n"],
      ["letters of several bytes", "ü€", "ü€"],
      ["the longest", "x".repeat(1 << 20), "x".repeat(1 << 20)],
      ["one byte longer", "x".repeat((1 << 20) + 1), ""],
      ["no text", new Uint8Array([0xff, 0xfe, 0x00]), ""],
      ["no file", undefined, ""],
    ];
    for (const [name, content, value] of rows) {
      const path = `${directory}/${name}`;
      if (typeof content === "string") Deno.writeTextFileSync(path, content);
      else if (content !== undefined) Deno.writeFileSync(path, content);
      const { variables } = preflight(definition([{ name: "CA", type: "file" }]), {
        variables: { ca: path },
      });
      assert.equal(variables.get("CA")?.value, value, name);
    }
    const { variables } = preflight(definition([{ name: "CA", type: "file", default: directory }]));
    assert.equal(variables.get("CA")?.value, "", "a directory");
  });
});

Deno.test("a value that is missing is found before anything is touched", () => {
  const asked = definition([{ name: "DOMAIN", prompt: true }]);
  assert.throws(() => preflight(asked), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "VariableMissing");
    assert.equal(error.kept, "the cluster was not touched");
    return true;
  });
  assert.equal(
    preflight(asked, { variables: { domain: "a.example" } }).variables.get("DOMAIN")?.value,
    "a.example",
  );
});

Deno.test("the site chooses components", () => {
  const choice = parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop" },
    components: [{ name: "web", required: true }, { name: "extra" }],
  })));
  const names = (components: string) =>
    preflight(choice, { components }).components.map(({ name }) => name);
  assert.deepEqual(names(""), ["web"]);
  assert.deepEqual(names("extra"), ["web", "extra"]);
});
