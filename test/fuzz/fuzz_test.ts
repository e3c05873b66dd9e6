import assert from "node:assert/strict";
import { fuzz } from "./fuzzer.ts";
import { TARGETS } from "./targets.ts";

/** The same inputs every time: what is new is looked for by `deno task fuzz`. */
const SEED = "test";
/** So many of each target take some seconds. */
const INPUTS = 1_500;
/** When it is enough on a machine that is busy, in milliseconds. */
const TIME_LIMIT = 20_000;
/** Fewer kinds of outcomes would mean that inputs do not come far. */
const OUTCOMES = 3;
/** How long the inputs of the fuzzer's own targets may take, in milliseconds. */
const PATIENCE = 2_000;

// The peak of a process is read from /proc.
const options = { ignore: Deno.build.os !== "linux" };

for (const { name } of TARGETS) {
  Deno.test(`what strangers could have written is refused or right: ${name}`, options, async () => {
    const request = { target: name, seed: SEED, count: INPUTS, milliseconds: TIME_LIMIT };
    const { inputs, outcomes, finding } = await fuzz(request);
    if (finding !== undefined) {
      const { index, kind, why, input } = finding;
      const file = await Deno.makeTempFile({ prefix: `${name}.${SEED}.${index}.` });
      await Deno.writeFile(file, input);
      assert.fail(`${kind}: deno task fuzz --replay ${file}\n${why}`);
    }
    assert.ok(inputs >= INPUTS / 5, `only ${inputs} inputs`);
    assert.ok(Object.keys(outcomes).length >= OUTCOMES, JSON.stringify(outcomes));
    assert.ok((outcomes["accepted"] ?? 0) > 0 || name === "signature", JSON.stringify(outcomes));
  });
}

for (
  const [target, kind] of [
    ["self-throws", "wrong"],
    ["self-hangs", "hang"],
    ["self-grows", "large"],
    ["self-ends", "crash"],
  ] as const
) {
  Deno.test(
    `the fuzzer finds a reader that ${target.slice(5)}, the same one again`,
    options,
    async () => {
      const request = { target, seed: SEED, count: 500, patience: PATIENCE };
      const first = await fuzz(request);
      assert.equal(first.finding?.kind, kind, JSON.stringify(first));
      assert.ok((first.finding?.input[0] ?? 255) < 5, "another input than the bad one");
      const again = await fuzz(request);
      assert.deepEqual(
        [again.finding?.index, again.finding?.input],
        [first.finding?.index, first.finding?.input],
      );
    },
  );
}

Deno.test("a good reader is given as many inputs as were asked for", options, async () => {
  const { inputs, outcomes, finding } = await fuzz({ target: "self-good", seed: SEED, count: 700 });
  assert.deepEqual([inputs, outcomes, finding], [700, { accepted: 700 }, undefined]);
});
