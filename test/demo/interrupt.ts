/** A signal that aborts when the person interrupts the program; disposing of it stops listening. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Turns Ctrl-C and being asked to end into an abort, so that what was made is removed. The second
 * Ctrl-C ends the program at once.
 */
export function onInterrupt(exit: (code: number) => void = Deno.exit): Interrupt {
  const abort = new AbortController();
  const stop = () => {
    if (abort.signal.aborted) exit(130);
    abort.abort(new Error("interrupted"));
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
  return {
    signal: abort.signal,
    [Symbol.dispose]() {
      for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
    },
  };
}
