import assert from "node:assert/strict";
import type { OpenBlob } from "../store/mod.ts";
import { blobBody } from "./body.ts";
import { patternBytes } from "./testing.ts";

const BYTES = patternBytes(200_000);

/** What an observer was told, in order: the bytes of each chunk, then the end. */
interface Told {
  readonly chunks: number[];
  ends: number;
}

async function withBlob(
  action: (blob: OpenBlob, told: Told, observer: Parameters<typeof blobBody>[2]) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, BYTES);
  const file = await Deno.open(path);
  const told: Told = { chunks: [], ends: 0 };
  const observer = {
    onBytes: (count: number) => void told.chunks.push(count),
    onEnd: () => void told.ends++,
  };
  try {
    await action({ file, size: BYTES.length }, told, observer);
    assert.throws(() => file.statSync(), Deno.errors.BadResource, "the file was not closed");
  } finally {
    await Deno.remove(path);
  }
}

for (
  const [start, end] of [
    [0, 200_000],
    [0, 1],
    [199_999, 200_000],
    [65_535, 65_537],
    [1, 199_999],
    [0, 0],
    [100, 100],
  ] as const
) {
  Deno.test(`the bytes ${start} to ${end} come in order, and the file is closed once`, () =>
    withBlob(async (blob, told, observer) => {
      const body = blobBody(blob, { start, end }, observer);
      const bytes = new Uint8Array(await new Response(body).arrayBuffer());
      assert.deepEqual(bytes, BYTES.subarray(start, end));
      assert.equal(told.chunks.reduce((sum, count) => sum + count, 0), end - start);
      assert.equal(told.ends, 1);
    }));
}

for (const size of [1, 1_000, 65_536, 200_000, 1 << 20]) {
  Deno.test(`a consumer with a buffer of ${size} bytes is never sent more at once`, () =>
    withBlob(async (blob, told, observer) => {
      const start = BYTES.length - Math.min(BYTES.length, 50 * size);
      const reader = blobBody(blob, { start, end: BYTES.length }, observer)
        .getReader({ mode: "byob" });
      const parts: Uint8Array[] = [];
      let buffer = new Uint8Array(size);
      for (;;) {
        const { value, done } = await reader.read(buffer);
        if (done) break;
        assert.ok(value.length <= size);
        parts.push(value.slice());
        buffer = new Uint8Array(value.buffer);
      }
      assert.deepEqual(await new Blob(parts as BlobPart[]).bytes(), BYTES.subarray(start));
      assert.equal(told.ends, 1);
    }));
}

Deno.test("a client that goes away closes the file before the end, and once", () =>
  withBlob(async (blob, told, observer) => {
    const reader = blobBody(blob, { start: 0, end: BYTES.length }, observer).getReader();
    assert.ok((await reader.read()).value);
    assert.equal(told.ends, 0);
    await reader.cancel();
    await reader.cancel();
    assert.equal(told.ends, 1);
  }));

Deno.test("a client that goes away before it read anything closes the file too", () =>
  withBlob(async (blob, told, observer) => {
    await blobBody(blob, { start: 0, end: BYTES.length }, observer).cancel();
    assert.deepEqual(told, { chunks: [], ends: 1 });
  }));

Deno.test("the file is closed with the last byte, before anybody asks for the end", () =>
  withBlob(async (blob, told, observer) => {
    const reader = blobBody(blob, { start: 0, end: 10 }, observer).getReader();
    assert.equal((await reader.read()).value?.length, 10);
    assert.equal(told.ends, 1);
    assert.equal((await reader.read()).done, true);
    assert.equal(told.ends, 1);
  }));

Deno.test("a blob that shrank breaks the body off, and is no whole answer", () =>
  withBlob(async (blob, told, observer) => {
    const body = blobBody(blob, { start: 0, end: BYTES.length + 1 }, observer);
    await assert.rejects(() => new Response(body).arrayBuffer(), /the blob ended early/);
    assert.equal(told.ends, 1);
  }));

Deno.test("a file that cannot be read breaks the body off", () =>
  withBlob(async (blob, told, observer) => {
    const body = blobBody({ ...blob, file: brokenFile(blob.file) }, { start: 0, end: 5 }, observer);
    await assert.rejects(() => new Response(body).arrayBuffer(), /bad sector/);
    assert.equal(told.ends, 1);
  }));

/** The file with reads that fail, as those of a bad disk do. */
function brokenFile(file: Deno.FsFile): Deno.FsFile {
  return new Proxy(file, {
    get: (target, name) =>
      name === "read"
        ? () => Promise.reject(new Error("bad sector"))
        : name === "close"
        ? () => target.close()
        : Reflect.get(target, name, target),
  });
}
