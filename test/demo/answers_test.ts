import assert from "node:assert/strict";
import { answerOf, exampleAnswers } from "./answers.ts";

const signal = new AbortController().signal;
const GOOD = "hello 0.1.0 from pod hello-1 on node node1: no network was needed\n";

async function withServer(handler: () => Response, work: (port: number) => Promise<void>) {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
  await work(server.addr.port);
}

function kubectl(addresses: string, port: string) {
  return (args: readonly string[]) => Promise.resolve(args[1] === "nodes" ? addresses : port);
}

Deno.test("every node's address is asked at the node port", () =>
  withServer(() => new Response(GOOD), async (port) => {
    const answers = await exampleAnswers(kubectl("127.0.0.1 127.0.0.1", `${port}`), signal);
    const url = `http://127.0.0.1:${port}/`;
    assert.deepEqual(answers, [{ url, text: GOOD.trim() }, { url, text: GOOD.trim() }]);
  }));

Deno.test("an application that answers only later is waited for", async () => {
  let asked = 0;
  await withServer(() => {
    asked++;
    return asked < 3 ? new Response("not yet", { status: 503 }) : new Response(GOOD);
  }, async (port) => {
    await answerOf(`http://127.0.0.1:${port}/`, signal);
  });
  assert.equal(asked, 3);
});

for (
  const [what, response] of [
    ["another application", () => new Response("It works!")],
    ["an error with the right words", () => new Response(GOOD, { status: 500 })],
  ] as const
) {
  Deno.test(`${what} is no answer`, () =>
    withServer(response, async (port) => {
      const asking = answerOf(`http://127.0.0.1:${port}/`, signal, 300);
      await assert.rejects(asking, /does not answer: it said/);
    }));
}

Deno.test("a cluster without addresses, and a service without a port, are told", async () => {
  await assert.rejects(exampleAnswers(kubectl("", "30080"), signal), /no address/);
  await assert.rejects(exampleAnswers(kubectl("127.0.0.1", ""), signal), /no address/);
});
