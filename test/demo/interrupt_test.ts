import assert from "node:assert/strict";

const PROGRAM = `
import { onInterrupt } from ${JSON.stringify(new URL("interrupt.ts", import.meta.url).href)};
using interrupt = onInterrupt();
const say = (text) => Deno.stdout.writeSync(new TextEncoder().encode(text + "\\n"));
interrupt.signal.addEventListener("abort", () => say("aborted"));
say("ready");
await new Promise((resolve) => setTimeout(resolve, 60_000));
`;

Deno.test("the first interrupt aborts, the second ends the program", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", PROGRAM],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let said = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    // Each answer of the program is followed by the next interrupt.
    if (text.includes("ready")) child.kill("SIGINT");
    if (text.includes("aborted")) child.kill("SIGTERM");
  }
  assert.equal(said, "ready\naborted\n");
  assert.equal((await child.status).code, 130);
});
