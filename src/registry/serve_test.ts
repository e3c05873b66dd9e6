import assert from "node:assert/strict";
import { describeError } from "../std/mod.ts";
import { RegistryError } from "./errors.ts";
import { serveRegistry } from "./serve.ts";

const handler = () => Promise.resolve(new Response("here"));

function listenFailure(hostname: string, port: number): RegistryError {
  try {
    serveRegistry(handler, { hostname, port });
  } catch (error) {
    assert.ok(error instanceof RegistryError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "it listens" });
}

Deno.test("a registry answers on its address until it is shut down", async () => {
  const server = serveRegistry(handler, { hostname: "127.0.0.1", port: 0 });
  const response = await fetch(`http://${server.hostname}:${server.port}/`);
  assert.equal(await response.text(), "here");
  await server.shutdown();
  await server.finished;
  await assert.rejects(() => fetch(`http://${server.hostname}:${server.port}/`));
});

Deno.test("the signal ends a registry", async () => {
  const control = new AbortController();
  const { signal } = control;
  const server = serveRegistry(handler, { hostname: "127.0.0.1", port: 0, signal });
  control.abort();
  await server.finished;
});

Deno.test("a taken address is told in one sentence, with what to do", () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const error = listenFailure("127.0.0.1", port);
  assert.equal(error.reason, "AddressInUse");
  assert.equal(error.disposition, "wait");
  assert.equal(
    error.message,
    `the node registry cannot listen on 127.0.0.1:${port}: another program listens there`,
  );
  assert.match(describeError(error), /--registry-address/);
});

Deno.test("an address of another machine is told as that", () => {
  assert.equal(listenFailure("192.0.2.1", 0).reason, "AddressNotAvailable");
});
