import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { ProofBook } from "./proof.ts";
import type { Revision } from "./release.ts";

function history(...statuses: string[]): Revision[] {
  return statuses.map((status, index) => ({ revision: index + 1, status, secret: "" }));
}

Deno.test("what Helm calls deployed is good, unless a change of it was not proven", () =>
  withDirectory((dir) => {
    const begin = (...statuses: string[]) =>
      new ProofBook(`${dir}/releases`).begin("shop", "web", history(...statuses));
    const book = new ProofBook(`${dir}/releases`);
    assert.equal(begin(), undefined, "a first install");
    assert.equal(begin("deployed"), undefined, "it was cut off before it was ready");
    book.settle("shop", "web");
    assert.equal(begin("deployed"), 1, "it is settled");
    assert.equal(begin("superseded", "deployed"), 1, "cut off once");
    assert.equal(begin("superseded", "superseded", "deployed"), 1, "cut off twice");
    assert.equal(begin("superseded", "superseded", "superseded", "superseded", "deployed"), 5);
    book.settle("shop", "web");
    book.settle("shop", "web");
  }));

Deno.test("a revision that Helm no longer keeps is not gone back to", () =>
  withDirectory((dir) => {
    const book = new ProofBook(dir);
    assert.equal(book.begin("shop", "web", history("deployed")), 1);
    const [, ...kept] = history("superseded", "deployed");
    assert.equal(book.begin("shop", "web", kept), 2);
  }));

Deno.test("releases of the same name in two namespaces are two", () =>
  withDirectory((dir) => {
    const book = new ProofBook(dir);
    book.begin("a", "web", []);
    assert.equal(book.begin("b", "web", history("deployed")), 1);
  }));

Deno.test("a note that cannot be read says nothing", () =>
  withDirectory((dir) => {
    for (const text of ["", "{", '{"good":"1","newest":1}']) {
      Deno.writeTextFileSync(`${dir}/shop_web.json`, text);
      assert.equal(new ProofBook(dir).begin("shop", "web", history("deployed")), 1, text);
    }
  }));
