import assert from "node:assert/strict";
import { CORE_SCHEMA, loadAll } from "js-yaml";
import {
  type Document,
  entryOf,
  expandAliases,
  mappingAt,
  parseDocuments,
  printDocument,
  readObjects,
  removeEntry,
  scalarAt,
  setString,
} from "./yaml.ts";

function only(text: string): Document {
  const [document] = parseDocuments(text);
  assert.ok(document);
  return document;
}

function rootOf(document: Document) {
  const root = document.contents;
  assert.ok(root?.kind === "mapping");
  return root;
}

Deno.test("a document is printed with every scalar as it was written", () => {
  const rows = [
    "a: yes\n",
    "a: 'yes'\n",
    'a: "0777"\n',
    "a: 0777\n",
    "a: 1_000\n",
    "a: 2026-01-01\n",
    "a: 12345678901234567890\n",
    "a: 1.10\n",
    "a:\n",
    "a: ~\n",
    "a: |\n  b\n    c\n",
    "a: |-\n  b\n",
    "a: >-\n  b c\n",
    "a: {b: [1, 'no']}\n",
    "- a\n- - b\n  - c\n",
    'a: "x\\ty"\n',
    `a: ${"long ".repeat(60)}end\n`,
    "y: n\n",
    "!!str a: !!int 1\n",
  ];
  for (const text of rows) assert.equal(printDocument(only(text)), `---\n${text}`);
});

Deno.test("no text changes on its way through, whatever is in it", () => {
  const texts = [
    "",
    " ",
    "\n",
    "a\n\n",
    "  a\nb",
    "a\r\nb",
    "\t",
    "é\u2028\u0085\ufeff",
    "\0\x07",
    "---",
    "# a",
    "a: b",
    "'\"'",
    "- ",
    "x".repeat(5_000),
    "a \n b ",
    "\ud83e\udd84",
    "{{ x }}",
    "*a",
    "%a",
    "@",
    "`",
  ];
  for (const text of texts) {
    const document = only(JSON.stringify({ text, [text]: [text] }));
    const [read] = loadAll(printDocument(document), { schema: CORE_SCHEMA });
    assert.deepEqual(read, { text, [text]: [text] }, JSON.stringify(text));
  }
});

Deno.test("entries are found by path, made, set in quotes, and removed", () => {
  const document = only("metadata:\n  name: a\n  labels:\n");
  const root = rootOf(document);
  assert.equal(scalarAt(root, "metadata", "name"), "a");
  assert.equal(scalarAt(root, "metadata", "missing"), undefined);
  assert.equal(scalarAt(root, "metadata"), undefined);
  const metadata = mappingAt(root, "metadata");
  assert.equal(entryOf(root, "metadata"), metadata);
  setString(mappingAt(metadata, "labels"), "x", "true");
  setString(mappingAt(metadata, "labels"), "x", "1");
  removeEntry(metadata, "name");
  assert.equal(printDocument(document), '---\nmetadata:\n  labels:\n    x: "1"\n');
});

Deno.test("after aliases are written out one place changes alone", () => {
  const document = only("a: &x {k: v}\nb: *x\nc: &y [*x]\nd: *y\n");
  expandAliases(document);
  const root = rootOf(document);
  setString(mappingAt(root, "a"), "k", "changed");
  assert.equal(
    printDocument(document),
    '---\na: {k: "changed"}\nb: {k: v}\nc: [{k: v}]\nd: [{k: v}]\n',
  );
});

Deno.test("objects are read with the meaning that Helm and Kubernetes give scalars", () => {
  const [object] = readObjects(
    "apiVersion: v1\nkind: A\nmetadata: {name: a, annotations: }\n" +
      "spec: {on: yes, mode: 0644, text: '0644'}\n",
  );
  assert.deepEqual(object?.["spec"], { true: true, mode: 420, text: "0644" });
});

Deno.test("what is no object is left out, and lists are opened at any depth", () => {
  const item = (name: string) => `{apiVersion: v1, kind: A, metadata: {name: ${name}}}`;
  const text = [
    "just text",
    "",
    "{kind: A}",
    item("one"),
    `{apiVersion: v1, kind: List, items: [${item("two")}, ` +
    `{apiVersion: v1, kind: AList, items: [${item("three")}]}]}`,
    "[1, 2]",
  ].join("\n---\n");
  assert.deepEqual(readObjects(text).map(({ metadata }) => metadata.name), [
    "one",
    "two",
    "three",
  ]);
});
