import assert from "node:assert/strict";
import { buildPackage, flipBit } from "../../test/fixtures/make_package.ts";
import type { ReadAnswer } from "../../test/fixtures/read_worker.ts";

const SCRIPT = new URL("../../test/fixtures/read_worker.ts", import.meta.url);

async function ask(worker: Worker, bytes: Uint8Array): Promise<ReadAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ReadAnswer>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`the worker died: ${event.message}`));
  };
  worker.postMessage(bytes);
  return await promise;
}

Deno.test("a worker survives damaged packages, says why, and reads the next one", async () => {
  const worker = new Worker(SCRIPT, { type: "module" });
  try {
    const good = buildPackage({
      images: [{ reference: "docker.io/library/a:1", layers: [{ size: 300_000, seed: 1 }] }],
    });
    for (const bad of [flipBit(good, good.length >> 1), flipBit(good, good.length - 1)]) {
      const answer = await ask(worker, bad);
      assert("reason" in answer);
      assert.match(answer.reason, /^(Corrupt|ChecksumMismatch)$/, answer.message);
    }
    const answer = await ask(worker, good);
    assert("contents" in answer);
    // The answer was cloned on its way: all of it is plain data.
    assert.equal(answer.contents.definition.metadata.name, "sample");
    assert.equal(answer.contents.images[0]?.reference, "docker.io/library/a:1");
    assert.equal(answer.contents.blobs.length, 3);
  } finally {
    worker.terminate();
  }
});
