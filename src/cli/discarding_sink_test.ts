import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type EntryWriter } from "../package/mod.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { DiscardingSink } from "./discarding_sink.ts";
import { InspectError } from "./inspect_error.ts";

/** Writes a blob as the reader does, some bytes at a time. */
function put(sink: DiscardingSink, content: string | Uint8Array, step = 7): Digest {
  const bytes = Buffer.from(content);
  const digest = digestOf(bytes);
  write(sink.blob(digest, bytes.length), bytes, step);
  return digest;
}

function write(writer: EntryWriter, bytes: Uint8Array, step: number): void {
  for (let at = 0; at < bytes.length; at += step) {
    // The reader's buffer is used again.
    const chunk = bytes.slice(at, at + step);
    writer.write(chunk);
    chunk.fill(0);
  }
  writer.close();
}

const documents = ['{"a":1}', ' {"a":1}', '\n\t{"a":1}', '\ufeff{"a":1}', "{not json"];

for (const document of documents) {
  Deno.test(`a blob that begins as ${JSON.stringify(document)} can be read back`, () => {
    const sink = new DiscardingSink();
    const digest = put(sink, document);
    assert.equal(Buffer.from(sink.readBlob(digest)).toString(), document);
    assert.equal(Buffer.from(sink.document(digest) ?? []).toString(), document);
  });
}

Deno.test("a layer is thrown away, and is no document", () => {
  const sink = new DiscardingSink();
  const gzip = put(sink, new Uint8Array([0x1f, 0x8b, 0x08, 0x7b, 0x7b, 0x7b, 0x7b, 0x7b, 0x7b]));
  assert.equal(sink.document(gzip), undefined);
  assert.equal(sink.readBlob(gzip).length, 0);
});

Deno.test("what is larger than any manifest is thrown away, however it begins", () => {
  const sink = new DiscardingSink();
  const large = put(sink, Buffer.alloc((8 << 20) + 1, "{"), 1 << 20);
  assert.equal(sink.document(large), undefined);
  assert(sink.document(put(sink, Buffer.alloc(8 << 20, "{"), 1 << 20)));
});

Deno.test("a blob that was not what its name says is not kept", () => {
  const sink = new DiscardingSink();
  const digest = digestOf("{}");
  const writer = sink.blob(digest, 3);
  writer.write(Buffer.from("{ }"));
  writer.abort();
  assert.equal(sink.document(digest), undefined);
});

Deno.test("more documents than memory shall hold end the reading, not the program", () => {
  const sink = new DiscardingSink();
  const put8MiB = (index: number) => {
    const content = Buffer.alloc(8 << 20, `{${index}`);
    const digest: Digest = `sha256:${String(index).padStart(64, "0")}`;
    write(sink.blob(digest, content.length), content, content.length);
  };
  for (let index = 0; index < 8; index++) put8MiB(index);
  assert.throws(() => put8MiB(8), (error) => {
    assert(error instanceof InspectError);
    assert.equal(error.reason, "TooManyManifests");
    return true;
  });
});

Deno.test("of the files zarf.yaml is kept, and others go where they are wanted", () => {
  const taken: string[] = [];
  const nowhere: EntryWriter = { write() {}, close() {}, abort() {} };
  const sink = new DiscardingSink({
    file(path, size, mode) {
      taken.push(`${path} ${size} ${mode.toString(8)}`);
      return path === "wanted" ? nowhere : undefined;
    },
    symlink: (path, target) => void taken.push(`${path} -> ${target}`),
  });
  write(sink.file("zarf.yaml", 5, 0o644), Buffer.from("kind:"), 2);
  write(sink.file("unwanted", 2, 0o600), Buffer.from("ab"), 1);
  assert.equal(sink.file("wanted", 2, 0o755), nowhere);
  sink.directory();
  sink.symlink("a", "b");
  assert.equal(Buffer.from(sink.definition).toString(), "kind:");
  assert.deepEqual(taken, ["unwanted 2 600", "wanted 2 755", "a -> b"]);
});
