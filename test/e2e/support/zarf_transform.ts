import { TOOLS } from "../../../extension/build/go_tools.ts";
import { askTool } from "./ask_tool.ts";

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
  return await askTool(TOOLS.transform, questions) as TransformAnswer[];
}
