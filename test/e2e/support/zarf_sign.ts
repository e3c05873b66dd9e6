import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import { zarf, type ZarfAnswer } from "./zarf.ts";

/** What ends a question of the real zarf that nobody answers, in milliseconds. */
const TIMEOUT = 120_000;
/**
 * How long the terminal's answers have to be read before somebody types, in milliseconds; the longer
 * ones where zarf was busy with something else for that time.
 */
const TYPING_PAUSES = [500, 3_000, 10_000] as const;
/** The password of the private keys; they live as long as a test. */
const PASSWORD = "only for a test";

/** Key files of `zarf tools gen-key`. */
export interface ZarfKeys {
  readonly privateFile: string;
  readonly publicFile: string;
}

/**
 * A fresh key pair by `zarf tools gen-key`, in a new directory. It takes its password only from a
 * terminal, so it gets one: `script` makes it, and this program answers as a person and as the
 * terminal, which is asked where its cursor is.
 */
export async function zarfKeys(directory: string): Promise<ZarfKeys> {
  await Deno.mkdir(directory);
  let made = { said: "", code: 1 };
  for (const pause of TYPING_PAUSES) {
    made = await makeKeys(directory, pause);
    if (made.code === 0) break;
  }
  assert.equal(made.code, 0, made.said);
  const files = { privateFile: `${directory}/cosign.key`, publicFile: `${directory}/cosign.pub` };
  for (const file of Object.values(files)) assert((await Deno.stat(file)).size > 0, made.said);
  return files;
}

async function makeKeys(
  directory: string,
  pause: number,
): Promise<{ said: string; code: number }> {
  const zarf = await ensureTool(TOOLS.zarf);
  const child = new Deno.Command("script", {
    args: ["--quiet", "--flush", "--return", "--command", `${zarf} tools gen-key`, "/dev/null"],
    cwd: directory,
    env: { TERM: "xterm", HOME: directory },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGTERM"), TIMEOUT);
  const said = await answer(child, pause);
  clearTimeout(timer);
  return { said, code: (await child.status).code };
}

async function answer(child: Deno.ChildProcess, pause: number): Promise<string> {
  const keyboard = child.stdin.getWriter();
  const type = (text: string) => keyboard.write(new TextEncoder().encode(text));
  let said = "";
  // Counted in all of it: a sequence may come in two pieces.
  const times = (sequence: string) => said.split(sequence).length - 1;
  const prompts = () => times("\x1b[?25h\x1b[6n");
  let cursors = 0;
  let passwords = 0;
  const typing: number[] = [];
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    for (; cursors < times("\x1b[6n"); cursors++) await type("\x1b[1;1R");
    if (passwords === prompts()) continue;
    passwords++;
    // What comes together with the cursor's place is taken for a part of it.
    typing.push(setTimeout(() => type(`${PASSWORD}\r`).catch(() => {}), pause));
  }
  for (const timer of typing) clearTimeout(timer);
  await keyboard.close().catch(() => {});
  return said;
}

/** Signs a package file with the real zarf; gives the signed file's path in a new directory. */
export async function zarfSign(file: string, keys: ZarfKeys, directory: string): Promise<string> {
  const signing = [`--signing-key=${keys.privateFile}`, `--signing-key-pass=${PASSWORD}`];
  await Deno.mkdir(directory);
  const { ok, text } = await zarf(["package", "sign", file, ...signing, `--output=${directory}`]);
  assert(ok, text);
  return `${directory}/${file.slice(file.lastIndexOf("/") + 1)}`;
}

/** What the real zarf says of a package file when it is given a public key. */
export function zarfVerify(file: string, publicFile: string): Promise<ZarfAnswer> {
  return zarf(["package", "verify", file, `--key=${publicFile}`]);
}

/** How {@linkcode zarfInspect} looks at a package. */
export interface InspectOptions {
  /** `manifests` unpacks components, too. */
  readonly what: "definition" | "manifests";
  /** Gets what zarf keeps of it. */
  readonly temporary: string;
  /** The package must be signed by this key. */
  readonly publicFile?: string;
}

/**
 * Whether the real zarf opens a package file: it unpacks it, checks it against its checksums and its
 * signature, and shows a part of it (Zarf 0.84, packager/load.go LoadPackage). No cluster is needed.
 */
export function zarfInspect(file: string, options: InspectOptions): Promise<ZarfAnswer> {
  const { what, temporary, publicFile } = options;
  const cache = `--zarf-cache=${temporary}/cache`;
  const key = publicFile === undefined ? [] : [`--key=${publicFile}`];
  return zarf(["package", "inspect", what, file, cache, ...key]);
}
