import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { Challenge, CHALLENGE_TIME, MAX_NONCES } from "./peer_challenge.ts";

Deno.test("a question is taken once", () => {
  const challenge = new Challenge(new TestClock());
  const question = { challenge: challenge.text, nonce: "a" };
  assert.deepEqual([challenge.take(question), challenge.take(question)], [true, false]);
  assert.equal(challenge.take({ ...question, nonce: "b" }), true);
});

Deno.test("a question with another's challenge is not taken", () => {
  const [one, other] = [new Challenge(new TestClock()), new Challenge(new TestClock())];
  assert.equal(one.take({ challenge: other.text, nonce: "a" }), false);
  assert.equal(one.take({ challenge: "", nonce: "a" }), false);
});

Deno.test("after its time, and after so many questions, there is another challenge", () => {
  const clock = new TestClock();
  const challenge = new Challenge(clock);
  const old = { challenge: challenge.text, nonce: "a" };
  clock.advance(CHALLENGE_TIME);
  assert.equal(challenge.text, old.challenge);
  clock.advance(1);
  assert.equal(challenge.take(old), false);
  const { text } = challenge;
  assert.notEqual(text, old.challenge);
  const taken = Array.from(
    { length: MAX_NONCES + 1 },
    (_, number) => challenge.take({ challenge: text, nonce: String(number) }),
  );
  assert.deepEqual([taken.filter((each) => each).length, taken.at(-1)], [MAX_NONCES, false]);
  const next = challenge.text;
  assert.notEqual(next, text);
  assert.equal(challenge.take({ challenge: next, nonce: "0" }), true, "with it there is room");
  assert.equal(challenge.text, next);
  assert.equal(challenge.take({ challenge: text, nonce: "0" }), false, "nor anything old again");
});
