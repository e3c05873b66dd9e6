import assert from "node:assert/strict";
import { partsOf } from "./main.ts";

const cases: { args: string[]; parts: string[] | undefined }[] = [
  { args: [], parts: ["binary", "tools", "seed"] },
  { args: ["--no-tools"], parts: ["binary"] },
  { args: ["--only", "seed"], parts: ["seed"] },
  { args: ["--only", "seed", "--only", "binary"], parts: ["binary", "seed"] },
  { args: ["--only=tools"], parts: ["tools"] },
  { args: ["--only", "docs"], parts: undefined },
  { args: ["--only"], parts: undefined },
  { args: ["--fast"], parts: undefined },
  { args: ["binary"], parts: undefined },
];

for (const { args, parts } of cases) {
  Deno.test(`"build ${args.join(" ")}" builds ${parts?.join(", ") ?? "nothing"}`, () => {
    assert.deepEqual(partsOf(args), parts);
  });
}

Deno.test("a wrong command line ends with 2 and the usage", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("main.ts", import.meta.url).pathname, "--fast"],
  }).output();
  assert.equal(code, 2);
  assert.match(new TextDecoder().decode(stderr), /^usage: deno task build/m);
});
