import assert from "node:assert/strict";
import { type Component, spdxDocument } from "./spdx.ts";

const SUBJECT = { name: "holdfast", version: "1.0.0", license: "Apache-2.0" };
const ONE: Component = { name: "one", version: "1", purl: "pkg:npm/one@1", license: "MIT" };
const TWO: Component = { name: "two", version: "2", purl: "pkg:deb/debian/two@2", comment: "made" };

Deno.test("a bill names what it is of and everything in it", () => {
  const bill = JSON.parse(spdxDocument(SUBJECT, [ONE, TWO]));
  assert.equal(bill.spdxVersion, "SPDX-2.3");
  assert.equal(bill.dataLicense, "CC0-1.0");
  const names = bill.packages.map((one: { name: string }) => one.name);
  assert.deepEqual(names, ["holdfast", "two", "one"], "sorted, the subject first");
  const ids = bill.packages.map((one: { SPDXID: string }) => one.SPDXID);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
  const [describes, ...contains] = bill.relationships;
  assert.deepEqual(describes, {
    spdxElementId: "SPDXRef-DOCUMENT",
    relationshipType: "DESCRIBES",
    relatedSpdxElement: ids[0],
  });
  assert.deepEqual(
    contains.map((one: { relatedSpdxElement: string }) => one.relatedSpdxElement),
    ids.slice(1),
  );
  assert.equal(bill.packages[2].licenseDeclared, "MIT");
  assert.equal(bill.packages[1].licenseDeclared, "NOASSERTION");
  assert.equal(bill.packages[1].externalRefs[0].referenceLocator, TWO.purl);
});

Deno.test("the same content gives the same bytes in any order, other content another namespace", () => {
  const bill = spdxDocument(SUBJECT, [ONE, TWO]);
  assert.equal(spdxDocument(SUBJECT, [TWO, ONE]), bill);
  const other = spdxDocument(SUBJECT, [ONE, { ...TWO, version: "3" }]);
  assert.notEqual(JSON.parse(other).documentNamespace, JSON.parse(bill).documentNamespace);
});
