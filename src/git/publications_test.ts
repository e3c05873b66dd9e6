import assert from "node:assert/strict";
import { parseReferences, publicationPrefix } from "./publications.ts";

const DIGEST = "ab".repeat(32);

Deno.test("a publication's references are told from those that are served", () => {
  const prefix = publicationPrefix({
    sequence: 7,
    packageName: "shop",
    digest: DIGEST,
    clone: "12",
  });
  assert.equal(prefix, `refs/packages/0000000007/shop/${DIGEST}/12`);
  const { publications, served } = parseReferences([
    "1 refs/heads/main ",
    "2 refs/tags/a/b ",
    "3 refs/notes/x ",
    `1 ${prefix}/HEAD ${prefix}/heads/main`,
    `1 ${prefix}/heads/main `,
    `2 ${prefix}/tags/a/b `,
    `4 refs/packages/1/shop/${DIGEST}/heads/main `,
    "",
  ].join("\n"));
  assert.deepEqual([...served], [["heads/main", "1"], ["tags/a/b", "2"]]);
  assert.deepEqual(publications, [{
    ...{ sequence: 7, packageName: "shop", digest: DIGEST, clone: "12", head: "heads/main" },
    references: new Map([["heads/main", "1"], ["tags/a/b", "2"]]),
  }]);
});
