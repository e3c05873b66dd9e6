import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { isTextFile } from "./text_file.ts";

Deno.test("text is told from what only begins or ends like it", () =>
  withDirectory((dir) => {
    const long = "x".repeat(600);
    const rows: [name: string, content: string | Uint8Array, expected: boolean][] = [
      ["nothing", "", true],
      ["text", "a: b\n\t# grüße\r\n\x1b[0m", true],
      ["JSON", "{}", true],
      ["latin 1", new Uint8Array([0xe9, 0x0a]), true],
      ["an ELF", "\x7fELF\x02\x01\x01\0", false],
      ["a gzip", new Uint8Array([0x1f, 0x8b, 8, 0]), false],
      ["a PDF", "%PDF-1.7\n", false],
      ["a bitmap", "BM  ", false],
      ["a NUL among text", "a\0b", false],
      ["binary in the middle, which nobody looks at", `${long}\0${long}`, true],
      ["binary at the end", `${long}\0`, false],
      ["binary at the beginning", `\0${long}`, false],
    ];
    for (const [name, content, expected] of rows) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      Deno.writeFileSync(`${dir}/file`, bytes);
      assert.equal(isTextFile(`${dir}/file`), expected, name);
    }
  }));
