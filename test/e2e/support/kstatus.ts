import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";

/** What kstatus says of an object; neither status nor message when it gives up. */
export interface KstatusAnswer {
  readonly status?: string;
  readonly message?: string;
  readonly error?: string;
}

/** Asks the kstatus that Zarf waits by, in the order of the objects. */
export async function askKstatus(objects: readonly unknown[]): Promise<KstatusAnswer[]> {
  const child = new Deno.Command(await ensureTool(TOOLS.kstatus), {
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const asking = new Blob(objects.map((one) => `${JSON.stringify(one)}\n`)).stream()
    .pipeTo(child.stdin);
  const [{ code, stdout }] = await Promise.all([child.output(), asking]);
  assert.equal(code, 0);
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assert.equal(lines.length, objects.length);
  return lines.map((line) => JSON.parse(line));
}
