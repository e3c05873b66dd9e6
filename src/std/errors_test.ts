import assert from "node:assert/strict";
import {
  describeError,
  type Disposition,
  dispositionOf,
  HoldfastError,
  oneLine,
  osErrorCode,
} from "./errors.ts";

class DiskError extends HoldfastError<"NoSpace"> {}

function noSpace(cause?: unknown, disposition?: Disposition): DiskError {
  return new DiskError({
    reason: "NoSpace",
    message: "the blob cannot be written",
    kept: "the store is unchanged",
    remedy: "free some space",
    cause,
    ...(disposition === undefined ? {} : { disposition }),
  });
}

Deno.test("an error says what failed, why, what was kept and what to do, in this order", () => {
  assert.equal(
    describeError(noSpace(new Error("write", { cause: new Error("no space left") }))),
    "the blob cannot be written: write: no space left; the store is unchanged; free some space",
  );
});

Deno.test("an error without a cause has none, and says only what it knows", () => {
  const error = new DiskError({ reason: "NoSpace", message: "full" });
  assert.equal("cause" in error, false);
  assert.equal(describeError(error), "full");
  assert.equal(error.name, "DiskError");
  assert(error instanceof DiskError && error instanceof Error);
});

Deno.test("a cause that the message already tells is not said twice", () => {
  const cause = new Error("no space left");
  assert.equal(describeError(new Error("write: no space left", { cause })), "write: no space left");
});

Deno.test("a chain that never ends is cut", () => {
  const loop = new Error("a");
  loop.cause = new Error("b", { cause: loop });
  assert.equal(describeError(loop), "a: b");
  let deep = new Error("0");
  for (let i = 1; i < 50; i++) deep = new Error(String.fromCharCode(64 + i), { cause: deep });
  assert.equal(describeError(deep).split(": ").length, 5);
});

const lines: readonly (readonly [string, string])[] = [
  ["plain text stays: äöü 💾", "plain text stays: äöü 💾"],
  ["two\nlines\r\n\n\tare one\n", "two lines are one"],
  ["a terminal's \x1b[2J and \x07", "a terminal's \\u001b[2J and \\u0007"],
  ["NUL \0, DEL \x7f, CSI \x9b", "NUL \\u0000, DEL \\u007f, CSI \\u009b"],
  ["lines\u2028of\u2029others", "lines\\u2028of\\u2029others"],
  ["gpj.\u202etxt", "gpj.\\u202etxt"],
  ["half of \ud83d", "half of \ufffd"],
];

for (const [text, line] of lines) {
  Deno.test(`a text on one line that is ${line.toWellFormed()}`, () => {
    assert.equal(oneLine(text), line);
    assert.equal(describeError(new Error("outer", { cause: text })), `outer: ${line}`);
  });
}

Deno.test("a text that is too long keeps its beginning and its end", () => {
  const text = `begin ${"x".repeat(5_000)} end`;
  assert.equal(oneLine(text).length, 1_000);
  assert.match(oneLine(text), /^begin x+…x+ end$/);
  assert.equal(oneLine(text, Infinity), text);
  assert.equal(oneLine("0123456789", 9), "01234…789");
  assert.equal(oneLine("0123456789", 10), "0123456789");
  assert.ok(oneLine("💾".repeat(501)).isWellFormed());
});

Deno.test("a description is short however long its messages are", () => {
  const cause = new Error("y".repeat(1 << 20));
  assert.match(describeError(new Error("x".repeat(1 << 20), { cause })), /^x+…x+: y+…y+$/);
  assert.equal(describeError(new Error("x".repeat(1 << 20), { cause })).length, 2_002);
});

const thrown: readonly [string, unknown, string][] = [
  ["a text", "broken", "broken"],
  ["a number", 7, "7"],
  ["an error with a text as its cause", new Error("a", { cause: "b" }), "a: b"],
  ["an error without words", new Error("", { cause: new Error("why") }), "why"],
];

for (const [what, value, text] of thrown) {
  Deno.test(`${what} can be described`, () => assert.equal(describeError(value), text));
}

Deno.test("ours are terminal unless they say otherwise, what is not ours is retried", () => {
  assert.equal(dispositionOf(noSpace()), "terminal");
  assert.equal(dispositionOf(noSpace(undefined, "wait")), "wait");
  assert.equal(dispositionOf(noSpace(undefined, "retry")), "retry");
  assert.equal(dispositionOf(new TypeError("network")), "retry");
  assert.equal(dispositionOf("text"), "retry");
});

Deno.test("the operating system's code is found where the runtime puts it", () => {
  const caught = (action: () => unknown) => {
    try {
      action();
    } catch (error) {
      return error;
    }
    return assert.fail("nothing was thrown");
  };
  assert.equal(osErrorCode(caught(() => Deno.readFileSync("/nowhere/at/all"))), "ENOENT");
  assert.equal(osErrorCode(caught(() => Deno.mkdirSync("/proc"))), "EEXIST");
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const again = () => Deno.listen({ hostname: "127.0.0.1", port: taken.addr.port });
  assert.equal(osErrorCode(caught(again)), "EADDRINUSE");
});

const coded: readonly [string, unknown, string | undefined][] = [
  ["in the message of a cause", noSpace(new Error("write (os error 28)")), "ENOSPC"],
  ["as a property", Object.assign(new Error("x"), { code: "EIO" }), "EIO"],
  ["unknown by its number", new Error("x (os error 71)"), "errno 71"],
  ["that is a number", Object.assign(new Error("x"), { code: 5 }), undefined],
  ["that is not there", new Error("x"), undefined],
  ["of something that is no error", { code: "EIO" }, undefined],
];

for (const [what, error, code] of coded) {
  Deno.test(`a code ${what} is ${code ?? "none"}`, () => assert.equal(osErrorCode(error), code));
}
