import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { MAX_STREAMS } from "./blobs.ts";
import { eventually, patternBytes, putBlob, type TestRegistry, withRegistry } from "./testing.ts";

const BYTES = patternBytes(3_500_000);
const DIGEST = digestOf(BYTES);
const PATH = `library/nginx/blobs/${DIGEST}`;

async function fill({ store }: TestRegistry): Promise<void> {
  await putBlob(store, BYTES);
}

/** Open files of this process that are blobs. */
function openBlobs(): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`).includes("/blobs/sha256/")) count++;
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return count;
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

Deno.test("a blob is served whole, with headers that let clients keep it", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    const response = await registry.get(PATH);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/octet-stream");
    assert.equal(response.headers.get("content-length"), String(BYTES.length));
    assert.equal(response.headers.get("docker-content-digest"), DIGEST);
    assert.equal(response.headers.get("etag"), `"${DIGEST}"`);
    assert.equal(response.headers.get("accept-ranges"), "bytes");
    assert.match(response.headers.get("cache-control") ?? "", /immutable/);
    assert.deepEqual(await bytesOf(response), BYTES);
    assert.equal(registry.metrics.bytes["store"], BYTES.length);
  }));

Deno.test("HEAD tells a blob's size and opens nothing", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    const response = await registry.get(PATH, { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-length"), String(BYTES.length));
    assert.equal(await response.text(), "");
    assert.equal(openBlobs(), 0);
  }));

Deno.test("an empty blob is served", () =>
  withRegistry(async (registry) => {
    const digest = await putBlob(registry.store, new Uint8Array());
    const response = await registry.get(`a/blobs/${digest}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-length"), "0");
    assert.equal((await bytesOf(response)).length, 0);
    await eventually(() => openBlobs() === 0, "the empty blob is closed");
  }));

for (
  const [range, start, end] of [
    ["bytes=0-0", 0, 1],
    ["bytes=1048570-1048590", 1_048_570, 1_048_591],
    ["bytes=100-", 100, BYTES.length],
    ["bytes=-5", BYTES.length - 5, BYTES.length],
    ["bytes=3499999-9999999", 3_499_999, BYTES.length],
  ] as const
) {
  Deno.test(`the range ${range} is served as a part`, () =>
    withRegistry(async (registry) => {
      await fill(registry);
      const response = await registry.get(PATH, { headers: { range } });
      assert.equal(response.status, 206);
      assert.equal(
        response.headers.get("content-range"),
        `bytes ${start}-${end - 1}/${BYTES.length}`,
      );
      assert.equal(response.headers.get("content-length"), String(end - start));
      assert.deepEqual(await bytesOf(response), BYTES.subarray(start, end));
    }));
}

Deno.test("a range behind the end is 416 and says how long the blob is", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    const response = await registry.get(PATH, { headers: { range: "bytes=3500000-" } });
    assert.equal(response.status, 416);
    assert.equal(response.headers.get("content-range"), `bytes */${BYTES.length}`);
    await response.body?.cancel();
    assert.equal(openBlobs(), 0);
  }));

Deno.test("a range of another version of the blob is served whole", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    for (const [condition, status] of [[`"other"`, 200], [`"${DIGEST}"`, 206]] as const) {
      const headers = { range: "bytes=0-9", "if-range": condition };
      const response = await registry.get(PATH, { headers });
      assert.equal(response.status, status);
      await response.body?.cancel();
    }
  }));

Deno.test("a blob that the client has already is not sent again", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    for (const method of ["GET", "HEAD"]) {
      const headers = { "if-none-match": `"${DIGEST}"` };
      const response = await registry.get(PATH, { method, headers });
      assert.equal(response.status, 304);
      assert.equal(await response.text(), "");
    }
    assert.equal(openBlobs(), 0);
  }));

Deno.test("many clients at once get the same bytes, and nothing stays open", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    const pulls = Array.from({ length: 24 }, async () => {
      assert.equal(digestOf(await bytesOf(await registry.get(PATH))), DIGEST);
    });
    await Promise.all(pulls);
    await eventually(() => openBlobs() === 0, "all blobs are closed");
    assert.equal(registry.metrics.activeStreams, 0);
    assert.equal(registry.metrics.bytes["store"], 24 * BYTES.length);
  }));

Deno.test("clients that go away leave no file open", () =>
  withRegistry(async (registry) => {
    const digest = await putBlob(registry.store, patternBytes(32 << 20));
    for (let round = 0; round < 20; round++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: registry.port });
      const request = `GET /v2/a/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`;
      await connection.write(new TextEncoder().encode(request));
      // Some go before the first byte, some in the middle.
      if (round % 2 === 0) await connection.read(new Uint8Array(65_536));
      connection.close();
    }
    // The server may notice that a client is gone before it looks at the request.
    await eventually(
      () => (registry.metrics.requests["blobs"]?.["200"] ?? 0) >= 10,
      "all requests of clients that read are answered",
    );
    await eventually(() => openBlobs() === 0, "all blobs are closed");
    await eventually(() => registry.metrics.activeStreams === 0, "no stream is counted");
  }));

Deno.test("more bodies than the limit are put off, not queued", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    registry.metrics.activeStreams += MAX_STREAMS;
    const response = await registry.get(PATH);
    assert.equal(response.status, 429);
    assert.equal(response.headers.get("retry-after"), "1");
    assert.equal((await response.json()).errors[0].code, "TOOMANYREQUESTS");
    registry.metrics.activeStreams -= MAX_STREAMS;
    const after = await registry.get(PATH);
    assert.equal(after.status, 200);
    await after.body?.cancel();
  }));

Deno.test("HEAD is of the whole blob, takes no stream, and is answered when no more are sent", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    registry.metrics.activeStreams += MAX_STREAMS;
    const head = await registry.get(PATH, { method: "HEAD", headers: { range: "bytes=0-9" } });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get("content-length"), String(BYTES.length));
    assert.equal(head.headers.get("content-range"), null);
    assert.equal(head.headers.get("etag"), `"${DIGEST}"`);
    registry.metrics.activeStreams -= MAX_STREAMS;
    assert.equal(registry.metrics.bytes["store"], undefined, "and no bytes are counted");
  }));

Deno.test("what the client has already comes before a range of it", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    const headers = { "if-none-match": `"${DIGEST}"`, range: "bytes=0-9" };
    const response = await registry.get(PATH, { headers });
    assert.equal(response.status, 304);
    assert.equal(response.headers.get("etag"), `"${DIGEST}"`);
    assert.match(response.headers.get("cache-control") ?? "", /immutable/);
    assert.equal(openBlobs(), 0);
  }));

Deno.test("no browser takes a blob for something else than bytes", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    for (const path of [PATH, "", "nope"]) {
      const response = await registry.get(path);
      assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
      await response.body?.cancel();
    }
  }));
