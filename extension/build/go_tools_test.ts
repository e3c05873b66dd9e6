import assert from "node:assert/strict";
import { TOOLS } from "./go_tools.ts";

Deno.test("every tool of the table has its pinning module in the repository", () => {
  for (const spec of Object.values(TOOLS)) {
    const module = new URL(`../../${spec.module}/go.mod`, import.meta.url);
    assert.ok(Deno.statSync(module).isFile, spec.name);
  }
});
