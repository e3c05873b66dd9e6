import assert from "node:assert/strict";
import { readIfThere } from "./read_if_there.ts";

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
