import assert from "node:assert/strict";
import { load } from "js-yaml";
import { OUTPUT_FORMATS, printAs } from "./output.ts";

const VALUE = {
  text: "a: b\n# no comment " + "long ".repeat(40),
  list: [1, { deep: true }],
  nothing: null,
};

for (const format of OUTPUT_FORMATS) {
  Deno.test(`${format} is printed whole, ends its last line and is all that is printed`, () => {
    let out = "";
    const terminal = { out: (text: string) => void (out += text), err: () => assert.fail() };
    printAs(format, VALUE, () => "a table\n", terminal);
    assert(out.endsWith("\n") && !out.endsWith("\n\n"));
    if (format === "table") assert.equal(out, "a table\n");
    else assert.deepEqual(format === "json" ? JSON.parse(out) : load(out), VALUE);
  });
}

Deno.test("for programs no table is made", () => {
  printAs("json", VALUE, () => assert.fail("a table"), { out() {}, err() {} });
});
