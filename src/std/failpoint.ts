/**
 * Named places where a test may end the process, as a power cut would.
 *
 * `HOLDFAST_FAILPOINT=name` or `name:3` (the third time it is passed) makes {@linkcode failpoint}
 * kill the process with SIGKILL there: no handler runs, nothing is flushed. Without the variable a
 * call costs two comparisons. The names are listed in docs/failpoints.md.
 */
export function failpoint(name: string): void {
  watcher?.(name);
  if (armed === undefined || armed.name !== name) return;
  armed.remaining--;
  if (armed.remaining <= 0) Deno.kill(Deno.pid, "SIGKILL");
}

/**
 * Tells a test of each failpoint that this thread passes, in place of whoever was told before;
 * `undefined` ends it. What the watcher throws comes out of {@linkcode failpoint}.
 */
export function watchFailpoints(watching: ((name: string) => void) | undefined): void {
  watcher = watching;
}

let watcher: ((name: string) => void) | undefined;

interface Armed {
  readonly name: string;
  remaining: number;
}

const armed = readArmed();

function readArmed(): Armed | undefined {
  const value = Deno.env.get("HOLDFAST_FAILPOINT");
  if (value === undefined || value === "") return undefined;
  const [name = "", count] = value.split(":");
  return { name, remaining: count === undefined ? 1 : Number(count) };
}
