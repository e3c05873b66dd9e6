import type { Screen } from "./screen.ts";

/** Shows how to look around and leaves everything running until Enter or an interrupt. */
export async function untilEnter(
  screen: Screen,
  hints: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const hint of hints) screen.say(hint);
  screen.say();
  screen.say("Everything is left running. Press Enter to end and clean up.");
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  // A closed standard input ends it as well: nobody is there to press anything.
  Deno.stdin.read(new Uint8Array(64)).then(() => resolve(), () => resolve());
  await promise;
}
