import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { ProofBook } from "./proof.ts";
import type { Revision } from "./release.ts";

function history(...statuses: string[]): Revision[] {
  return statuses.map((status, index) => ({ revision: index + 1, status, secret: "" }));
}

Deno.test("what Helm calls deployed is good, unless a change of it was not proven", () =>
  withDirectory((dir) => {
    const begin = (...statuses: string[]) => {
      const book = new ProofBook(`${dir}/releases`);
      const { before, newest } = book.begin("shop", "web", history(...statuses));
      return [before, newest];
    };
    const book = new ProofBook(`${dir}/releases`);
    assert.deepEqual(begin(), [undefined, 0], "a first install");
    assert.deepEqual(begin("deployed"), [undefined, 0], "it was cut off before it was ready");
    book.settle("shop", "web");
    assert.deepEqual(begin("deployed"), [1, 1], "it is settled");
    assert.deepEqual(begin("superseded", "deployed"), [1, 1], "cut off once");
    assert.deepEqual(begin("superseded", "superseded", "deployed"), [1, 1], "cut off twice");
    const others = ["superseded", "superseded", "superseded", "superseded", "deployed"];
    assert.deepEqual(begin(...others), [5, 5], "somebody else has deployed it");
    book.settle("shop", "web");
    book.settle("shop", "web");
  }));

Deno.test("a revision that Helm no longer keeps is not gone back to", () =>
  withDirectory((dir) => {
    const book = new ProofBook(dir);
    assert.equal(book.begin("shop", "web", history("deployed")).before, 1);
    const [, ...kept] = history("superseded", "deployed");
    assert.equal(book.begin("shop", "web", kept).before, 2);
  }));

Deno.test("releases of the same name in two namespaces are two", () =>
  withDirectory((dir) => {
    const book = new ProofBook(dir);
    book.begin("a", "web", []);
    assert.equal(book.begin("b", "web", history("deployed")).before, 1);
  }));

Deno.test("a note that cannot be read says nothing", () =>
  withDirectory((dir) => {
    for (const text of ["", "{", '{"good":"1","newest":1,"proven":1}']) {
      Deno.writeTextFileSync(`${dir}/shop_web.json`, text);
      const { before } = new ProofBook(dir).begin("shop", "web", history("deployed"));
      assert.equal(before, 1, text);
    }
  }));
