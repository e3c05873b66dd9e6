import { digestOf } from "../../src/std/mod.ts";

/**
 * Makes `output` unless it is there and was made of the same `inputs`. What it was made of is kept
 * beside it in `<output>.inputs`; that file is written last, so an interrupted making counts as none.
 *
 * @param inputs everything that the result depends on, in a fixed order.
 * @returns whether it was made.
 */
export async function whenChanged(
  output: string,
  inputs: readonly string[],
  make: () => Promise<void>,
): Promise<boolean> {
  const stamp = `${output}.inputs`;
  const digest = digestOf(JSON.stringify(inputs));
  if (await isCurrent(output, stamp, digest)) return false;
  await Deno.remove(stamp).catch(ignoreMissing);
  await make();
  await Deno.writeTextFile(stamp, digest);
  return true;
}

async function isCurrent(output: string, stamp: string, digest: string): Promise<boolean> {
  try {
    await Deno.stat(output);
    return await Deno.readTextFile(stamp) === digest;
  } catch (error) {
    ignoreMissing(error);
    return false;
  }
}

/** Swallows "no such file", which is what a first run finds; everything else is thrown on. */
export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
