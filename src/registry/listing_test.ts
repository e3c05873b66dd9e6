import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { MAX_PAGE } from "./listing.ts";
import { imageOf, OCI_MANIFEST, type TestRegistry, withRegistry } from "./testing.ts";

const DESCRIPTOR = { mediaType: OCI_MANIFEST, digest: digestOf("any"), size: 3 };

/** Records images with no bytes, which listings do not look at. */
function name({ store }: TestRegistry, names: readonly string[]): void {
  const images = names.map((each) => {
    const [repository = "", tag = ""] = each.split(":");
    const { zarfTag: _zarfTag, ...image } = imageOf(DESCRIPTOR, repository, tag);
    return image;
  });
  store.records.putImages("test", images, [DESCRIPTOR], []);
}

/** The answer's entries and the path of the next page, if it names one. */
async function page(
  registry: TestRegistry,
  path: string,
): Promise<{ readonly entries: readonly string[]; readonly next: string | undefined }> {
  const response = await registry.get(path);
  assert.equal(response.status, 200, path);
  const body = await response.json();
  const link = response.headers.get("link");
  const next = link === null ? undefined : /^<\/v2\/([^>]+)>; rel="next"$/.exec(link)?.[1];
  return { entries: body.tags ?? body.repositories, next };
}

for (
  const [query, entries, next] of [
    ["", ["1", "2", "3", "latest"], undefined],
    ["?n=4", ["1", "2", "3", "latest"], undefined],
    ["?n=5", ["1", "2", "3", "latest"], undefined],
    ["?n=3", ["1", "2", "3"], "a/tags/list?n=3&last=3"],
    ["?n=1", ["1"], "a/tags/list?n=1&last=1"],
    ["?n=0", [], undefined],
    ["?n=007", ["1", "2", "3", "latest"], undefined],
    ["?last=1", ["2", "3", "latest"], undefined],
    ["?last=2.5", ["3", "latest"], undefined],
    ["?last=latest", [], undefined],
    ["?last=", ["1", "2", "3", "latest"], undefined],
    ["?n=2&last=1", ["2", "3"], "a/tags/list?n=2&last=3"],
    ["?n=2&last=2", ["3", "latest"], undefined],
    ["?last=1&n=1&ns=docker.io", ["2"], "a/tags/list?last=2&n=1&ns=docker.io"],
  ] as const
) {
  Deno.test(`tags/list${query} is [${entries}]${next === undefined ? ", the last page" : " and a next page"}`, () =>
    withRegistry(async (registry) => {
      name(registry, ["a:latest", "a:3", "a:1", "a:2", "b:other"]);
      assert.deepEqual(await page(registry, `a/tags/list${query}`), { entries, next });
    }));
}

Deno.test("repositories are paged as tags are, each once", () =>
  withRegistry(async (registry) => {
    name(registry, ["b/web:1", "b/web:2", "a:1", "c:1"]);
    assert.deepEqual(await page(registry, "_catalog?n=2"), {
      entries: ["a", "b/web"],
      next: "_catalog?n=2&last=b%2Fweb",
    });
    assert.deepEqual(await page(registry, "_catalog?n=2&last=b%2Fweb"), {
      entries: ["c"],
      next: undefined,
    });
  }));

Deno.test("an empty registry has an empty catalogue", () =>
  withRegistry(async (registry) => {
    assert.deepEqual(await page(registry, "_catalog"), { entries: [], next: undefined });
  }));

for (const query of ["", "?n=999999999", `?n=${MAX_PAGE + 1}`]) {
  Deno.test(`a page has at most ${MAX_PAGE} entries, also for tags/list${query}`, () =>
    withRegistry(async (registry) => {
      const tags = Array.from({ length: MAX_PAGE + 2 }, (_, n) => `t${String(n).padStart(5, "0")}`);
      name(registry, tags.map((tag) => `a:${tag}`));
      const first = await page(registry, `a/tags/list${query}`);
      assert.deepEqual(first.entries, tags.slice(0, MAX_PAGE));
      assert.match(first.next ?? "", new RegExp(`[?&]n=${MAX_PAGE}(&|$)`));
      const second = await page(registry, first.next ?? assert.fail("there is a next page"));
      assert.deepEqual(second, { entries: tags.slice(MAX_PAGE), next: undefined });
    }));
}

for (const n of ["1.5", "1e3", "+1", "0x10", "9999999999", "", "%20"]) {
  Deno.test(`n=${n} is no number of results`, () =>
    withRegistry(async (registry) => {
      for (const path of [`_catalog?n=${n}`, `a/referrers/${DESCRIPTOR.digest}?n=${n}`]) {
        const response = await registry.get(path);
        assert.equal(response.status, 400);
        const { errors } = await response.json();
        assert.equal(errors[0].code, "PAGINATION_NUMBER_INVALID");
      }
    }));
}

for (const path of ["_catalog", "a/tags/list?n=1", `a/referrers/${DESCRIPTOR.digest}`]) {
  Deno.test(`HEAD of ${path.slice(0, 20)} has the headers of GET and no body`, () =>
    withRegistry(async (registry) => {
      name(registry, ["a:1", "a:2"]);
      const get = await registry.get(path);
      const body = await get.text();
      const head = await registry.get(path, { method: "HEAD" });
      assert.equal(await head.text(), "");
      assert.equal(head.headers.get("content-length"), String(body.length));
      for (const header of ["content-type", "link", "content-length"]) {
        assert.equal(head.headers.get(header), get.headers.get(header), header);
      }
    }));
}

Deno.test("referrers are paged by digest, with the filter kept in the link", () =>
  withRegistry(async (registry) => {
    const subject = digestOf("subject");
    const descriptors = Array.from({ length: 5 }, (_, index) => ({
      ...DESCRIPTOR,
      digest: digestOf(`referrer ${index}`),
      artifactType: index === 4 ? "other/type" : "some/type",
      subject,
    }));
    registry.store.records.putImages("test", [], descriptors, []);
    const seen: string[] = [];
    let next: string | undefined = `a/referrers/${subject}?n=3&artifactType=some%2Ftype`;
    for (let pages = 0; next !== undefined; pages++) {
      assert.ok(pages < 2, "there are two pages");
      const response: Response = await registry.get(next);
      assert.equal(response.headers.get("oci-filters-applied"), "artifactType");
      const { manifests } = await response.json();
      for (const each of manifests) {
        assert.equal(each.artifactType, "some/type");
        assert.equal(each.subject, undefined, "a descriptor has no subject");
        seen.push(each.digest);
      }
      next = /^<\/v2\/([^>]+)>/.exec(response.headers.get("link") ?? "")?.[1];
    }
    assert.deepEqual(seen, descriptors.slice(0, 4).map(({ digest }) => digest).sort());
  }));
