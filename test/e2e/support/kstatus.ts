import { TOOLS } from "../../../extension/build/go_tools.ts";
import { askTool } from "./ask_tool.ts";

/** What kstatus says of an object; neither status nor message when it gives up. */
export interface KstatusAnswer {
  readonly status?: string;
  readonly message?: string;
  readonly error?: string;
}

/** Asks the kstatus that Zarf waits by, in the order of the objects. */
export async function askKstatus(objects: readonly unknown[]): Promise<KstatusAnswer[]> {
  return await askTool(TOOLS.kstatus, objects) as KstatusAnswer[];
}
