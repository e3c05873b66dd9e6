import assert from "node:assert/strict";
import { readAnswer } from "./http_answer.ts";

/** Gives the text in pieces of `size` bytes, then the connection's end. */
function connection(text: string, size: number) {
  const bytes = new TextEncoder().encode(text);
  const state = { at: 0, reads: 0 };
  const read = (buffer: Uint8Array): Promise<number | null> => {
    state.reads++;
    const part = bytes.subarray(state.at, state.at + Math.min(size, buffer.length));
    state.at += part.length;
    buffer.set(part);
    return Promise.resolve(part.length === 0 ? null : part.length);
  };
  return { state, read };
}

const lines = (...all: string[]) => all.join("\r\n");

Deno.test("an answer is read the same, in whatever pieces it comes", async () => {
  const rows: [name: string, method: string, text: string, status: number, body: string][] = [
    [
      "a length",
      "GET",
      lines("HTTP/1.1 404 Not Found", "Content-Length: 5", "", "hallo"),
      404,
      "hallo",
    ],
    ["no length", "GET", lines("HTTP/1.0 500 Oh", "", "until the end"), 500, "until the end"],
    ["no body", "PUT", lines("HTTP/1.1 201 Created", "content-length: 0", "", ""), 201, ""],
    ["no reason", "PUT", lines("HTTP/1.1 201", "content-length: 0", "", ""), 201, ""],
    ["HEAD", "HEAD", lines("HTTP/1.1 200 OK", "content-length: 70000", "", ""), 200, ""],
    ["204", "GET", lines("HTTP/1.1 204 No Content", "", ""), 204, ""],
    ["304", "GET", lines("HTTP/1.1 304 Not Modified", "content-length: 9", "", ""), 304, ""],
    [
      "chunks",
      "GET",
      lines(
        "HTTP/1.1 400 No",
        "Transfer-Encoding: chunked",
        "",
        "3",
        "abc",
        "A;x=y",
        "0123456789",
        "0",
        "",
        "",
      ),
      400,
      "abc0123456789",
    ],
    [
      "an interim answer before it",
      "PUT",
      lines("HTTP/1.1 100 Continue", "", "HTTP/1.1 201 Created", "content-length: 2", "", "ok"),
      201,
      "ok",
    ],
    ["bare line feeds", "GET", "HTTP/1.1 500 Oh\ncontent-length: 2\n\nok", 500, "ok"],
    [
      "more than one byte a letter",
      "GET",
      lines("HTTP/1.1 500 Oh", "content-length: 4", "", "üß"),
      500,
      "üß",
    ],
  ];
  for (const [name, method, text, status, body] of rows) {
    for (const size of [1, 7, 100_000]) {
      const answer = await readAnswer(connection(text, size).read, method);
      assert.equal(answer.status, status, name);
      assert.equal(answer.text, body, name);
    }
  }
});

Deno.test("headers are known by lower-case names, without the space around their values", async () => {
  const text = lines(
    "HTTP/1.1 202 Accepted",
    "LOCATION:   /v2/a?b=c:d  ",
    "Docker-Upload-UUID: 1",
    "warning: a",
    "Warning: b",
    "content-length: 0",
    "",
    "",
  );
  const { headers } = await readAnswer(connection(text, 10).read, "POST");
  assert.deepEqual(headers, {
    location: "/v2/a?b=c:d",
    "docker-upload-uuid": "1",
    warning: "a, b",
    "content-length": "0",
  });
});

Deno.test("of a long body only the beginning is read", async () => {
  const long = "x".repeat(1_000_000);
  const rows = [
    lines("HTTP/1.1 500 Oh", `content-length: ${long.length}`, "", long),
    lines("HTTP/1.1 500 Oh", "", long),
    lines("HTTP/1.1 500 Oh", "transfer-encoding: chunked", "", long.length.toString(16), long),
  ];
  for (const text of rows) {
    const { state, read } = connection(text, 4_096);
    const answer = await readAnswer(read, "GET");
    assert.equal(answer.text, "x".repeat(4_096));
    assert.ok(state.at < 20_000, `${state.at} bytes were read`);
  }
});

Deno.test("an answer that ends too early, or is none, is an error", async () => {
  const rows: [name: string, text: string, error: RegExp][] = [
    ["nothing", "", /closed in the middle/],
    ["half a status", "HTTP/1.1 20", /closed in the middle/],
    ["half of the headers", lines("HTTP/1.1 200 OK", "content-length: 0", ""), /closed in the/],
    ["half a body", lines("HTTP/1.1 500 Oh", "content-length: 9", "", "half"), /closed in the/],
    [
      "half a chunk",
      lines("HTTP/1.1 500 Oh", "transfer-encoding: chunked", "", "9", "half"),
      /closed in the middle/,
    ],
    [
      "no last chunk",
      lines("HTTP/1.1 500 Oh", "transfer-encoding: chunked", "", "4", "half", ""),
      /closed in the middle/,
    ],
    ["only an interim answer", lines("HTTP/1.1 100 Continue", "", ""), /closed in the middle/],
    ["another protocol", "SSH-2.0-OpenSSH_9.9\r\n", /is not HTTP/],
    ["a status of letters", lines("HTTP/1.1 abc", "", ""), /is not HTTP/],
    ["HTTP/2", lines("HTTP/2 200", "", ""), /is not HTTP/],
    ["a header without a name", lines("HTTP/1.1 200 OK", ": x", "", ""), /without a name/],
    ["a line that is no header", lines("HTTP/1.1 200 OK", "text", "", ""), /without a name/],
    [
      "a chunk of no size",
      lines("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "z", ""),
      /chunks cannot be read/,
    ],
    ["headers without end", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(20_000)}`, /too long/],
    ["a line without end", "H".repeat(200_000), /too long/],
  ];
  for (const [name, text, error] of rows) {
    for (const size of [1, 100_000]) {
      await assert.rejects(readAnswer(connection(text, size).read, "GET"), error, name);
    }
  }
});

Deno.test("an error of the connection is passed on", async () => {
  const read = () => Promise.reject(new Error("reset by peer"));
  await assert.rejects(readAnswer(read, "GET"), /reset by peer/);
});
