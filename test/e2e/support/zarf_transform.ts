import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";

/** A function of Zarf's package `src/pkg/transform` with what it is given. */
export interface TransformQuestion {
  readonly function:
    | "ImageTransformHost"
    | "ImageTransformHostWithoutChecksum"
    | "ParseImageRef"
    | "GitURL"
    | "GitURLtoRepoName"
    | "GitURLtoFolderName"
    | "GitURLSplitRef";
  readonly arguments: readonly string[];
}

/** What the function returned; neither when it returned an empty text. */
export interface TransformAnswer {
  /** Fields of Go's structs by their Go names. */
  readonly result?: unknown;
  readonly error?: string;
}

/** Asks Zarf's own code, in the order of the questions. */
export async function askTransform(
  questions: readonly TransformQuestion[],
): Promise<TransformAnswer[]> {
  const child = new Deno.Command(await ensureTool(TOOLS.transform), {
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const asking = new Blob(questions.map((one) => `${JSON.stringify(one)}\n`)).stream()
    .pipeTo(child.stdin);
  const [{ code, stdout }] = await Promise.all([child.output(), asking]);
  assert.equal(code, 0);
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assert.equal(lines.length, questions.length);
  return lines.map((line) => JSON.parse(line));
}
