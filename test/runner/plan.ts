import { parseArgs } from "node:util";
import { defaultLanes, MAX_LANES } from "./lanes.ts";
import type { Suite } from "./suite.ts";

/** What the command line asks for. */
export interface TestRequest {
  readonly unit: boolean;
  readonly e2e: boolean;
  readonly filter?: string;
  /** How many suites run at once, at most. */
  readonly lanes: number;
  /** Only these files or folders, from the repository's root; empty means all. */
  readonly paths: readonly string[];
}

/** Folders with tests, from the repository's root. */
export const TEST_ROOTS = ["src", "extension", "test", "bench", "examples"] as const;
/** How long the unit tests of one folder and the tests of one end-to-end file may take. */
const UNIT_TIMEOUT = 15 * 60_000;
const E2E_TIMEOUT = 18 * 60_000;

/** Reads the command line; undefined when it is wrong. */
export function requestOf(args: readonly string[]): TestRequest | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        unit: { type: "boolean" },
        e2e: { type: "boolean" },
        filter: { type: "string" },
        lanes: { type: "string", default: String(defaultLanes()) },
      },
    });
    const lanes = Number(values.lanes);
    if (!(Number.isInteger(lanes) && lanes >= 1 && lanes <= MAX_LANES)) return undefined;
    const all = values.unit === values.e2e;
    return {
      unit: all || values.unit === true,
      e2e: all || values.e2e === true,
      ...(values.filter === undefined ? {} : { filter: values.filter }),
      lanes,
      paths: positionals.map((path) => path.replace(/^\.\//, "").replace(/\/+$/, "")),
    };
  } catch {
    return undefined;
  }
}

/** The test files below `root` that the request names, sorted. */
export async function testFiles(root: string, paths: readonly string[]): Promise<string[]> {
  const files = await Promise.all(TEST_ROOTS.map((directory) => filesBelow(root, directory)));
  return files.flat()
    .filter((file) => file.endsWith("_test.ts"))
    .filter((file) =>
      paths.length === 0 || paths.some((path) => file === path || file.startsWith(`${path}/`))
    )
    .sort();
}

/** One suite per folder, so that a crash takes down no other folder's tests. */
export function unitSuites(files: readonly string[]): Suite[] {
  const folders = Map.groupBy(files.filter((file) => !isE2e(file)), folderOf);
  return [...folders].map(([name, files]) => ({ name, files, timeout: UNIT_TIMEOUT }));
}

/** One suite per end-to-end file: each has clusters of its own. */
export function e2eSuites(files: readonly string[]): Suite[] {
  return files.filter(isE2e).map((file) => ({
    name: file.replace(/_e2e_test\.ts$/, ""),
    files: [file],
    timeout: E2E_TIMEOUT,
  }));
}

function isE2e(file: string): boolean {
  return file.endsWith("_e2e_test.ts");
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/"));
}

async function filesBelow(root: string, directory: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const entry of Deno.readDir(`${root}/${directory}`)) {
      const path = `${directory}/${entry.name}`;
      if (path === "test/fixtures") continue;
      if (entry.isDirectory) files.push(...await filesBelow(root, path));
      else files.push(path);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files;
}
