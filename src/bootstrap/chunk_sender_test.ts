import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { DIGEST_ANNOTATION, encodeConfigMap } from "./chunk_sender.ts";
import { CHUNK_BYTES } from "./payload.ts";

const sizes = [0, 1, 2, 3, 48 * 1024 - 1, 48 * 1024, 48 * 1024 + 1, CHUNK_BYTES - 1, CHUNK_BYTES];

for (const size of sizes) {
  Deno.test(`a chunk of ${size} bytes comes back from its ConfigMap as it was`, () => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) % 256);
    const buffer = new Uint8Array(CHUNK_BYTES * 2);
    const body = encodeConfigMap(buffer, "zarf-payload-007", digestOf(bytes), bytes);
    const object = JSON.parse(new TextDecoder().decode(body));
    assert.equal(object.kind, "ConfigMap");
    assert.equal(object.metadata.name, "zarf-payload-007");
    assert.equal(object.metadata.labels["zarf-injector"], "payload");
    assert.equal(object.metadata.annotations[DIGEST_ANNOTATION], digestOf(bytes));
    const text: string = object.binaryData["zarf-payload-007"];
    assert.deepEqual(Uint8Array.fromBase64(text), bytes);
  });
}

Deno.test("a buffer that was used for a longer chunk leaves nothing behind", () => {
  const buffer = new Uint8Array(CHUNK_BYTES * 2);
  const long = new Uint8Array(1_000).fill(1);
  const short = new Uint8Array(10).fill(2);
  encodeConfigMap(buffer, "a", digestOf(long), long);
  const body = encodeConfigMap(buffer, "b", digestOf(short), short);
  const object = JSON.parse(new TextDecoder().decode(body));
  assert.deepEqual(Uint8Array.fromBase64(object.binaryData.b), short);
});
