import assert from "node:assert/strict";
import { ensureTool, type ToolSpec } from "../../../extension/build/go_tools.ts";

/**
 * Asks a program that answers a line of JSON with a line of JSON, in the order of the questions.
 * What the lines hold is said in the program's Go source.
 */
export async function askTool(tool: ToolSpec, questions: readonly unknown[]): Promise<unknown[]> {
  const child = new Deno.Command(await ensureTool(tool), {
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const asking = new Blob(questions.map((one) => `${JSON.stringify(one)}\n`)).stream()
    .pipeTo(child.stdin);
  const [{ code, stdout }] = await Promise.all([child.output(), asking]);
  assert.equal(code, 0);
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assert.equal(lines.length, questions.length);
  return lines.map((line) => JSON.parse(line));
}
