import { removeQuietly } from "../std/mod.ts";

/** Signals that end a command, and the exit codes that shells know them by. */
const ENDINGS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Makes a private directory, calls `action` and removes the directory again, whatever happens, the
 * signals of a person who has seen enough included.
 *
 * @param parent @default the system's directory for temporary files
 */
export async function withTemporaryDirectory<T>(
  action: (directory: string) => Promise<T>,
  parent?: string,
): Promise<T> {
  const directory = Deno.makeTempDirSync({
    prefix: ".holdfast-",
    ...(parent === undefined ? {} : { dir: parent }),
  });
  const listeners = Object.entries(ENDINGS).map(([signal, code]) => {
    const listener = () => {
      removeQuietly(directory);
      Deno.exit(code);
    };
    return [signal as keyof typeof ENDINGS, listener] as const;
  });
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  try {
    return await action(directory);
  } finally {
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    removeQuietly(directory);
  }
}
