import assert from "node:assert/strict";
import { whenChanged } from "./stamp.ts";

async function withOutput(
  see: (output: string, make: () => Promise<void>, made: () => number) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const output = `${directory}/out`;
  let times = 0;
  try {
    await see(output, async () => await Deno.writeTextFile(output, `${++times}`), () => times);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("the same inputs make an output once", () =>
  withOutput(async (output, make, made) => {
    assert.equal(await whenChanged(output, ["a", "b"], make), true);
    assert.equal(await whenChanged(output, ["a", "b"], make), false);
    assert.equal(made(), 1);
  }));

for (const inputs of [["a"], ["ab"], ["b", "a"], ["a", "b", ""]]) {
  Deno.test(`inputs ${JSON.stringify(inputs)} are not the inputs "a", "b"`, () =>
    withOutput(async (output, make, made) => {
      await whenChanged(output, ["a", "b"], make);
      assert.equal(await whenChanged(output, inputs, make), true);
      assert.equal(made(), 2);
    }));
}

Deno.test("an output that is gone is made again", () =>
  withOutput(async (output, make, made) => {
    await whenChanged(output, ["a"], make);
    await Deno.remove(output);
    assert.equal(await whenChanged(output, ["a"], make), true);
    assert.equal(made(), 2);
  }));

Deno.test("after a making that failed, the next one makes, even with the earlier inputs", () =>
  withOutput(async (output, make, made) => {
    await whenChanged(output, ["a"], make);
    const failing = () => Promise.reject(new Error("no space"));
    await assert.rejects(whenChanged(output, ["b"], failing), /no space/);
    assert.equal(await whenChanged(output, ["a"], make), true);
    assert.equal(made(), 2);
  }));
