import type { Random } from "./random.ts";

/** One thing that reads what strangers wrote. */
export interface Target {
  readonly name: string;
  /** Makes an input; equal random numbers make equal inputs. */
  generate(random: Random): Uint8Array;
  /**
   * Gives the input to the reader and looks at what comes of it.
   *
   * @returns `accepted`, or the reason of the refusal.
   * @throws whatever shows that the reader is wrong.
   */
  run(input: Uint8Array): string | Promise<string>;
}
