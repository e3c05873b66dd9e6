import assert from "node:assert/strict";
import { describeError, HoldfastError, osErrorCode } from "./errors.ts";
import { listenFailure, type ListenReason } from "./listen.ts";

class ListenError extends HoldfastError<ListenReason> {}

/** What the system says when a listener is opened there. */
function refusalOf(hostname: string, port: number): unknown {
  try {
    Deno.listen({ hostname, port }).close();
  } catch (error) {
    return error;
  }
  return assert.fail(`${hostname}:${port} can be listened on`);
}

function failure(hostname: string, port: number, cause: unknown): ListenError {
  const attempt = { what: "the echo", hostname, port, setting: "echo-address" };
  return new ListenError(listenFailure(attempt, cause));
}

Deno.test("a taken port is named with who has it and what to do", () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const cause = refusalOf("127.0.0.1", port);
  const error = failure("127.0.0.1", port, cause);
  assert.equal(error.reason, "AddressInUse");
  assert.equal(error.disposition, "wait");
  assert.equal(error.cause, cause);
  assert.equal(
    error.message,
    `the echo cannot listen on 127.0.0.1:${port}: another program listens there`,
  );
  assert.match(describeError(error), /free the address.*--echo-address/);
});

Deno.test("an address of another machine is named as such", () => {
  const error = failure("192.0.2.1", 0, refusalOf("192.0.2.1", 0));
  assert.equal(error.reason, "AddressNotAvailable");
  assert.match(error.message, /192\.0\.2\.1:0: this machine has no such address/);
});

const codes: readonly [string, ListenReason][] = [
  ["EADDRINUSE", "AddressInUse"],
  ["EADDRNOTAVAIL", "AddressNotAvailable"],
  ["EACCES", "Permission"],
  ["EMFILE", "ListenFailed"],
];

for (const [code, reason] of codes) {
  Deno.test(`${code} is ${reason}, and worth another look`, () => {
    const error = failure("127.0.0.1", 80, Object.assign(new Error("listen"), { code }));
    assert.equal(error.reason, reason);
    assert.equal(error.disposition, "wait");
    assert.equal(osErrorCode(error.cause), code);
  });
}

Deno.test("an IPv6 address is written as one would type it", () => {
  assert.match(failure("::1", 5000, new Error("no")).message, / \[::1\]:5000: /);
});
