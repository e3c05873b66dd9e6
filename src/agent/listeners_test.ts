import assert from "node:assert/strict";
import {
  createLogger,
  HoldfastError,
  type HttpListening,
  silentLogger,
  systemClock,
} from "../std/mod.ts";
import { keepListening, Part } from "./listeners.ts";

class Taken extends HoldfastError<"AddressInUse"> {
  constructor(disposition: "wait" | "terminal" = "wait") {
    super({ reason: "AddressInUse", message: "another program listens there", disposition });
  }
}

/** Sleeping takes no time, so that retries follow at once. */
const quick = { ...systemClock, sleep: () => new Promise<void>((done) => setTimeout(done, 0)) };

function listening(finished: Promise<void>, hostname = "127.0.0.1"): HttpListening {
  return { hostname, port: 1, finished, shutdown: () => Promise.resolve() };
}

Deno.test("a taken port is tried again until it is free, and is logged once", async () => {
  const lines: string[] = [];
  const logger = createLogger({
    level: "error",
    format: "text",
    write: (line) => void lines.push(line),
  });
  const abort = new AbortController();
  const part = new Part("registry", "starts");
  const seen: boolean[] = [];
  let attempts = 0;
  await keepListening(part, () => {
    seen.push(part.ok);
    if (++attempts < 4) throw new Taken();
    return listening(Promise.resolve().then(() => abort.abort()));
  }, { logger, signal: abort.signal, clock: quick });
  assert.equal(attempts, 4);
  assert.deepEqual(seen, [false, false, false, false]);
  assert.equal(part.ok, true);
  assert.equal(part.message, "listens on 127.0.0.1:1");
  assert.equal(lines.length, 1, lines.join(""));
});

Deno.test("an IPv6 address that is listened on is shown as it is written in a URL", async () => {
  const abort = new AbortController();
  const part = new Part("registry", "starts");
  const open = () => listening(Promise.resolve().then(() => abort.abort()), "fd00::1");
  await keepListening(part, open, { logger: silentLogger, signal: abort.signal, clock: quick });
  assert.equal(part.message, "listens on [fd00::1]:1");
});

Deno.test("a listener that ends by itself is opened again", async () => {
  const abort = new AbortController();
  let opened = 0;
  await keepListening(new Part("status", ""), () => {
    if (++opened === 3) abort.abort();
    return listening(Promise.resolve());
  }, { logger: silentLogger, signal: abort.signal, clock: quick });
  assert.equal(opened, 3);
});

Deno.test("what cannot get better is thrown", async () => {
  await assert.rejects(
    keepListening(new Part("status", ""), () => {
      throw new Taken("terminal");
    }, { logger: silentLogger, signal: new AbortController().signal, clock: quick }),
    Taken,
  );
});
