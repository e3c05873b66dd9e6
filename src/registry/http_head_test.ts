import assert from "node:assert/strict";
import { headEnd, parseHead, responseHead } from "./http_head.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

for (
  const [text, expected] of [
    ["", -1],
    ["GET / HTTP/1.1\r\n", -1],
    ["GET / HTTP/1.1\r\n\r\n", 18],
    ["a\r\n\r\nmore", 5],
    ["a\n\n", -1],
  ] as const
) {
  Deno.test(`the head ${JSON.stringify(text)} ends at ${expected}`, () => {
    assert.equal(headEnd(bytesOf(text)), expected);
  });
}

for (
  const [lines, expected] of [
    [["GET /v2/ HTTP/1.1", "Host: a"], { keepAlive: true, hasBody: false }],
    [["GET /v2/ HTTP/1.0", "Host: a"], { keepAlive: false, hasBody: false }],
    [["GET /v2/ HTTP/1.1", "Connection: Close"], { keepAlive: false, hasBody: false }],
    [["PUT /v2/ HTTP/1.1", "Content-Length: 3"], { keepAlive: true, hasBody: true }],
    [["PUT /v2/ HTTP/1.1", "content-length: 0"], { keepAlive: true, hasBody: false }],
    [["PUT /v2/ HTTP/1.1", "Transfer-Encoding: chunked"], { keepAlive: true, hasBody: true }],
  ] as const
) {
  Deno.test(`the head ${lines.join(", ")} is ${JSON.stringify(expected)}`, () => {
    const head = parseHead(bytesOf(`${lines.join("\r\n")}\r\n\r\n`));
    assert.ok(head);
    assert.equal(head.target, "/v2/");
    assert.equal(head.method, lines[0].split(" ")[0]);
    assert.deepEqual({ keepAlive: head.keepAlive, hasBody: head.hasBody }, expected);
  });
}

Deno.test("headers are read without the spaces around them, and repeated ones joined", () => {
  const head = parseHead(
    bytesOf("GET / HTTP/1.1\r\nRange:  bytes=0-1 \r\nAccept: a\r\naccept: b\r\n\r\n"),
  );
  assert.equal(head?.headers.get("range"), "bytes=0-1");
  assert.equal(head?.headers.get("accept"), "a, b");
});

for (
  const text of [
    "GET /",
    "get / HTTP/1.1",
    "GET / HTTP/2.0",
    "GET  / HTTP/1.1",
    "GET http://a/ HTTP/1.1",
    "GET * HTTP/1.1",
    "GET /a b HTTP/1.1",
    "GET / HTTP/1.1\r\nno colon",
    "GET / HTTP/1.1\r\nbad name: x",
    "GET / HTTP/1.1\r\nFolded: x\r\n y",
    "GET / HTTP/1.1\r\nName : x",
    "GET / HTTP/1.1\r\nName: a\0b",
  ]
) {
  Deno.test(`the head ${JSON.stringify(text)} is refused`, () => {
    assert.equal(parseHead(bytesOf(`${text}\r\n\r\n`)), undefined);
  });
}

Deno.test("a response's head is its status line, its headers and an empty line", () => {
  assert.equal(
    new TextDecoder().decode(responseHead(404, [["a", "b"], ["c", "d"]])),
    "HTTP/1.1 404 Not Found\r\na: b\r\nc: d\r\n\r\n",
  );
});
