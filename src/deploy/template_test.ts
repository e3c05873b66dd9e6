import assert from "node:assert/strict";
import { applyTemplates, type Template } from "./template.ts";

const TEMPLATES = new Map<string, Template>([
  ["###ZARF_VAR_NAME###", { value: "web" }],
  ["###ZARF_VAR_EMPTY###", { value: "" }],
  ["###ZARF_VAR_BLOCK###", { value: "a\nb\nc", autoIndent: true }],
  ["###ZARF_VAR_FLAT###", { value: "a\nb" }],
  ["###ZARF_VAR_NESTED###", { value: "###ZARF_VAR_NAME###" }],
  ["###ZARF_CONST_DOLLAR###", { value: "$& $1 $$" }],
  ["###ZARF_REGISTRY###", { value: "127.0.0.1:31999" }],
]);

Deno.test("templates are filled in as Zarf does", () => {
  const rows: [name: string, text: string, expected: string][] = [
    ["known keys", "a: ###ZARF_VAR_NAME###\n", "a: web\n"],
    ["built-in keys", "###ZARF_REGISTRY###/x", "127.0.0.1:31999/x"],
    ["an empty value", "a: '###ZARF_VAR_EMPTY###'", "a: ''"],
    ["unknown keys stay", "###ZARF_VAR_OTHER###", "###ZARF_VAR_OTHER###"],
    [
      "what is no key stays",
      "###ZARF_var_name### ###ZARF_### ##ZARF_VAR_NAME##",
      "###ZARF_var_name### ###ZARF_### ##ZARF_VAR_NAME##",
    ],
    ["several on a line", "###ZARF_VAR_NAME###-###ZARF_VAR_NAME###", "web-web"],
    ["with shared number signs", "####ZARF_VAR_NAME####", "#web#"],
    ["what was put in is not looked at again", "###ZARF_VAR_NESTED###", "###ZARF_VAR_NAME###"],
    ["dollar signs mean themselves", "###ZARF_CONST_DOLLAR###", "$& $1 $$"],
    [
      "indented to its column",
      "x: |\n    ###ZARF_VAR_BLOCK###\nend\n",
      "x: |\n    a\n    b\n    c\nend\n",
    ],
    ["indented by bytes, not characters", "é:###ZARF_VAR_BLOCK###", "é:a\n   b\n   c"],
    [
      "indented from the key before it",
      "  ###ZARF_VAR_NAME### ###ZARF_VAR_BLOCK###",
      "  web a\n b\n c",
    ],
    [
      "indented from an unknown key before it",
      "####ZARF_VAR_X###  ###ZARF_VAR_BLOCK###",
      "####ZARF_VAR_X###  a\n  b\n  c",
    ],
    ["not indented unless asked", "    ###ZARF_VAR_FLAT###", "    a\nb"],
    ["no line break is added at the end", "a", "a"],
    ["nothing", "", ""],
  ];
  for (const [name, text, expected] of rows) {
    assert.equal(applyTemplates(text, TEMPLATES), expected, name);
  }
});

Deno.test("a line of more than 1 MiB is kept, and so is what follows it", () => {
  const long = "x".repeat(1 << 21);
  const text = `${long}###ZARF_VAR_NAME###\n###ZARF_VAR_NAME###\n`;
  assert.equal(applyTemplates(text, TEMPLATES), `${long}web\nweb\n`);
});
