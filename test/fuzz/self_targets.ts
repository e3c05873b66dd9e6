import type { Random } from "./random.ts";
import type { Target } from "./target.ts";

/** Makes inputs of one byte. */
const generate = (random: Random) => random.bytes(1);
/** Which inputs do harm: about one of fifty. */
const isBad = (input: Uint8Array) => (input[0] ?? 0) < 5;

/** Readers that are wrong in every way that the fuzzer looks for; its own tests use them. */
export const SELF_TARGETS: readonly Target[] = [
  { name: "self-good", generate, run: () => "accepted" },
  {
    name: "self-throws",
    generate,
    run(input) {
      if (isBad(input)) throw new RangeError("this is no refusal");
      return "accepted";
    },
  },
  {
    name: "self-hangs",
    generate,
    run(input) {
      while (isBad(input));
      return "accepted";
    },
  },
  {
    name: "self-grows",
    generate,
    run(input) {
      if (isBad(input)) kept.push(new Uint8Array(300 << 20).fill(1));
      return "accepted";
    },
  },
  {
    name: "self-ends",
    generate,
    run(input) {
      if (isBad(input)) Deno.exit(7);
      return "accepted";
    },
  },
];

const kept: Uint8Array[] = [];
