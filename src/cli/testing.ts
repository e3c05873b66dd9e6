import { main } from "./main.ts";

/** What a command said, and what the process would have ended with. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process, without a screen. */
export async function run(...argv: readonly string[]): Promise<Said> {
  const said = { out: "", err: "" };
  const code = await main(argv, {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
  });
  return { code, ...said };
}
