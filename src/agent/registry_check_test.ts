import assert from "node:assert/strict";
import { imageRecord } from "../../test/fakes/records.ts";
import { digestOf } from "../std/mod.ts";
import { lacksImages } from "./registry_check.ts";

/** A registry that has these paths, and remembers what it was asked. */
async function withRegistry(
  has: readonly string[],
  action: (url: string, asked: string[]) => Promise<void>,
) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const path = new URL(request.url).pathname;
    asked.push(`${request.method} ${path} ${request.headers.get("authorization")}`);
    return new Response(null, { status: has.includes(path) ? 200 : 404 });
  });
  try {
    await action(`http://127.0.0.1:${server.addr.port}`, asked);
  } finally {
    await server.shutdown();
  }
}

const reader = { username: "zarf-pull", password: "pull" };
const web = ["/v2/library/web/manifests/1-zarf-1", "/v2/library/web/manifests/1"];

Deno.test("a registry that has every image under both names lacks nothing", () =>
  withRegistry(web, async (url, asked) => {
    assert.equal(await lacksImages({ url, ...reader }, [imageRecord("web", "1")]), false);
    assert.deepEqual(asked, web.map((path) => `HEAD ${path} Basic ${btoa("zarf-pull:pull")}`));
  }));

for (const [at, path] of web.entries()) {
  Deno.test(`a registry without ${path} lacks the image`, () =>
    withRegistry(web.toSpliced(at, 1), async (url) => {
      assert.equal(await lacksImages({ url, ...reader }, [imageRecord("web", "1")]), true);
    }));
}

Deno.test("an image without a tag is asked for by its digest", () =>
  withRegistry([], async (url, asked) => {
    assert.equal(await lacksImages({ url, ...reader }, [imageRecord("db")]), true);
    assert.match(asked[0] ?? "", new RegExp(`/v2/library/db/manifests/${digestOf("db")} `));
  }));

Deno.test("a registry that does not answer lacks nothing", async () => {
  const url = "http://127.0.0.1:1";
  assert.equal(await lacksImages({ url, ...reader }, [imageRecord("web", "1")]), false);
});
