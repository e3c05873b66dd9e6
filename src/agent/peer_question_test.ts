import assert from "node:assert/strict";
import { ImageKey } from "./peer_question.ts";
import { newNonce } from "./site_key.ts";
import { WordKey } from "./etcd_word.ts";

const TARGET = "/v1/images/v2/etcd/manifests/v3.6.9?ns=registry.k8s.io";
const CHALLENGE = newNonce();
const CONTENT = {
  "docker-content-digest": `sha256:${"a".repeat(64)}`,
  "content-type": "application/vnd.oci.image.manifest.v1+json",
  "content-length": "500",
};
const key = new ImageKey("abcdef.0123456789abcdef");

function requestWith(headers: Readonly<Record<string, string>>, method = "GET"): Request {
  return new Request(`http://peer${TARGET}`, { method, headers });
}

Deno.test("a question is believed by who has the same token, for just what was asked", () => {
  const { question, headers } = key.ask(CHALLENGE, "GET", TARGET);
  const same = new ImageKey("abcdef.0123456789abcdef");
  assert.deepEqual(same.asked(requestWith(headers), TARGET), question);
  const bad: [name: string, ImageKey, Request, target: string][] = [
    ["another token", new ImageKey("abcdef.0123456789abcdeg"), requestWith(headers), TARGET],
    ["another target", key, requestWith(headers), `${TARGET}x`],
    ["another method", key, requestWith(headers, "POST"), TARGET],
    ["no headers", key, requestWith({}), TARGET],
    ...Object.keys(headers).flatMap((name): [string, ImageKey, Request, string][] => [
      [`another ${name}`, key, requestWith({ ...headers, [name]: newNonce() }), TARGET],
      [`a broken ${name}`, key, requestWith({ ...headers, [name]: "x" }), TARGET],
      [`a long ${name}`, key, requestWith({ ...headers, [name]: "a".repeat(9_999) }), TARGET],
    ]),
  ];
  for (const [name, other, request, target] of bad) {
    assert.equal(other.asked(request, target), undefined, name);
  }
});

Deno.test("the token is not in what goes over the wire, and no question is like another", () => {
  const asked = [1, 2].map(() => JSON.stringify(key.ask(CHALLENGE, "GET", TARGET).headers));
  assert.doesNotMatch(asked.join(), /abcdef\.|0123456789abcdef/);
  assert.notEqual(asked[0], asked[1]);
});

Deno.test("an answer is good for one question, and nothing of it can be changed", () => {
  const { question } = key.ask(CHALLENGE, "GET", TARGET);
  const headers = key.answer(question, 200, new Headers({ ...CONTENT, "x-more": "1" }));
  assert.equal(headers.get("x-more"), null);
  const answer = (more: Record<string, string> = {}, status = 200) =>
    new Response(null, { status, headers: { ...Object.fromEntries(headers), ...more } });
  assert.equal(key.isAnswer(question, answer()), true);
  assert.equal(key.isAnswer(question, answer({}, 404)), false, "another status");
  for (const name of Object.keys(CONTENT)) {
    assert.equal(key.isAnswer(question, answer({ [name]: "1" })), false, name);
  }
  for (const mac of ["", "x", "0".repeat(64)]) {
    assert.equal(key.isAnswer(question, answer({ "holdfast-mac": mac })), false, mac);
  }
  const other = key.ask(CHALLENGE, "GET", TARGET).question;
  assert.equal(key.isAnswer(other, answer()), false, "another nonce");
  assert.equal(new ImageKey("another").isAnswer(question, answer()), false, "another token");
});

Deno.test("a question is no answer, and a key for images is none for words", () => {
  const { question, headers } = key.ask(CHALLENGE, "GET", TARGET);
  assert.equal(key.isAnswer(question, new Response(null, { headers })), false);
  const word = new WordKey("abcdef.0123456789abcdef").ask("10.0.0.1");
  const { mac } = JSON.parse(word.text);
  const asked = requestWith({
    ...headers,
    "holdfast-nonce": word.question.nonce,
    "holdfast-mac": mac,
  });
  assert.equal(key.asked(asked, TARGET), undefined);
});

Deno.test("an empty token makes no key", () => {
  assert.equal(ImageKey.of(""), undefined);
  assert(ImageKey.of("abcdef.0123456789abcdef") instanceof ImageKey);
});
