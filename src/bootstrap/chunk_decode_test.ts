import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { decodeChunk } from "./chunk_decode.ts";
import { encodeConfigMap } from "./chunk_sender.ts";
import { CHUNK_BYTES } from "./payload.ts";

const NAME = "zarf-payload-003";
const encoder = new TextEncoder();

/** As the API server gives it back: with managed fields that name the key, too. */
function answer(bytes: Uint8Array): Uint8Array {
  const body = encodeConfigMap(new Uint8Array(CHUNK_BYTES * 2), NAME, digestOf(bytes), bytes);
  const object = JSON.parse(new TextDecoder().decode(body));
  object.metadata.managedFields = [{ fieldsV1: { "f:binaryData": { [`f:${NAME}`]: {} } } }];
  return encoder.encode(JSON.stringify(object));
}

for (const size of [0, 1, 2, 3, 48 * 1024, 48 * 1024 + 1, CHUNK_BYTES]) {
  Deno.test(`a chunk of ${size} bytes is found in the JSON of its ConfigMap`, () => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7) % 256);
    const into = new Uint8Array(CHUNK_BYTES).fill(9);
    assert.deepEqual(decodeChunk(answer(bytes), NAME, into), bytes);
  });
}

const unusable: readonly [string, string][] = [
  ["another ConfigMap", '{"binaryData":{"zarf-payload-004":"AAAA"}}'],
  ["no binary data", '{"metadata":{"name":"zarf-payload-003"}}'],
  ["an end in the middle", '{"binaryData":{"zarf-payload-003":"AAAA'],
  ["something that is not base64", '{"binaryData":{"zarf-payload-003":"A*AA"}}'],
  ["a text of the wrong length", '{"binaryData":{"zarf-payload-003":"AAAAA"}}'],
];

for (const [what, json] of unusable) {
  Deno.test(`${what} gives no chunk`, () => {
    assert.equal(decodeChunk(encoder.encode(json), NAME, new Uint8Array(16)), undefined);
  });
}

Deno.test("more bytes than a chunk may have give no chunk", () => {
  const json = answer(new Uint8Array(100));
  assert.equal(decodeChunk(json, NAME, new Uint8Array(99)), undefined);
});
