import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { isDirectory, isFile, isOwnDirectory, isThere, readIfThere } from "./is_there.ts";

Deno.test("a file that is not there, or is none, has no text", () => {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${directory}/file`, "text\n");
    Deno.writeTextFileSync(`${directory}/empty`, "");
    assert.deepEqual(
      ["file", "empty", "none", "none/below", ""].map((name) =>
        readIfThere(`${directory}/${name}`)
      ),
      ["text\n", "", undefined, undefined, undefined],
    );
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("what is at a path is said, by way of a link too where that is asked", () =>
  withDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/file`, "");
    Deno.mkdirSync(`${directory}/folder`);
    Deno.symlinkSync("file", `${directory}/to-file`);
    Deno.symlinkSync("folder", `${directory}/to-folder`);
    Deno.symlinkSync("nowhere", `${directory}/to-nowhere`);
    const looks = [isFile, isDirectory, isOwnDirectory, isThere];
    const rows: [path: string, ...found: boolean[]][] = [
      ["file", true, false, false, true],
      ["folder", false, true, true, true],
      ["to-file", true, false, false, true],
      ["to-folder", false, true, false, true],
      ["to-nowhere", false, false, false, true],
      ["none", false, false, false, false],
      ["file/below", false, false, false, false],
    ];
    for (const [path, ...found] of rows) {
      assert.deepEqual(looks.map((look) => look(`${directory}/${path}`)), found, path);
    }
  }));
