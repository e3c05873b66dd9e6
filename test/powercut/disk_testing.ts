import { diskObstacle } from "./disk.ts";

/** Defines a test that needs a disk; where there can be none, its name says why it is left out. */
export function diskTest(name: string, fn: () => Promise<void>): void {
  const obstacle = diskObstacle();
  const why = obstacle === undefined ? "" : ` (${obstacle})`;
  Deno.test({ name: `${name}${why}`, ignore: obstacle !== undefined, fn });
}
