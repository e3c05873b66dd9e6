import assert from "node:assert/strict";
import type { ToolSpec } from "../../extension/build/go_tools.ts";
import { EXAMPLE, missingTools } from "./program.ts";

function tool(name: string, cpuMinutes: number): ToolSpec {
  return { name, cpuMinutes, module: name, package: "." };
}

Deno.test("what was never built is named, with the time that it takes", () => {
  const tools = [tool("a", 20), tool("b", 3), tool("c", 5)];
  assert.deepEqual(missingTools(tools, (name) => name === "b"), { names: ["a", "c"], minutes: 25 });
  assert.deepEqual(missingTools(tools, () => true), { names: [], minutes: 0 });
});

Deno.test("the example package is in the repository", () => {
  assert.ok(Deno.statSync(EXAMPLE).size > 1_000_000);
});
