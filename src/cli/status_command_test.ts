import assert from "node:assert/strict";
import { freeAddress } from "../../test/fakes/free_address.ts";
import { verdict } from "../../test/fakes/verdicts.ts";
import { load } from "js-yaml";
import { type NodeStatus, serveStatus, type Verdict } from "../status/mod.ts";
import { EXIT } from "./exit_codes.ts";
import { main } from "./main.ts";
import { statusCommand, StatusUnavailable } from "./status_command.ts";

const web = verdict({ reason: "Deployed", message: "every component is ready" });

const { package: _, ...unread } = web;
const broken: Verdict = {
  ...unread,
  file: "/drop/broken.tar",
  phase: "Rejected",
  reason: "Corrupt",
  message: "it is damaged",
};

const STATUS: NodeStatus = {
  node: "node-1",
  version: "1.2.3",
  parts: [
    { name: "node registry", ok: true, message: "listens on 127.0.0.1:31999" },
    { name: "cluster", ok: false, message: "no answer" },
  ],
  packages: [web, broken],
};

/** Asks a status page that is really served. */
async function ask(format: string, status = STATUS) {
  const server = serveStatus({ status: () => status, metrics: () => [] }, {
    hostname: "127.0.0.1",
    port: 0,
  });
  const said = { out: "", err: "" };
  try {
    const argv = ["status", "--status-address", `127.0.0.1:${server.port}`, "-o", format];
    const code = await main(argv, {
      out: (text) => void (said.out += text),
      err: (text) => void (said.err += text),
    });
    return { code, ...said };
  } finally {
    await server.shutdown();
  }
}

Deno.test("packages and parts are two tables in columns", async () => {
  const { code, out, err } = await ask("table");
  assert.deepEqual([code, err], [EXIT.done, ""]);
  assert.deepEqual(out.split("\n"), [
    "PACKAGE     VERSION  SIGNATURE  PHASE     MESSAGE",
    "web         1.0.0    Unsigned   Ready     every component is ready",
    "broken.tar                      Rejected  it is damaged",
    "",
    "PART           STATE   MESSAGE",
    "node registry  ok      listens on 127.0.0.1:31999",
    "cluster        not ok  no answer",
    "",
  ]);
});

Deno.test("an agent without packages has a table with its head only", async () => {
  const { out } = await ask("table", { ...STATUS, packages: [] });
  assert.equal(out.split("\n")[0], "PACKAGE  VERSION  SIGNATURE  PHASE  MESSAGE");
  assert.equal(out.split("\n")[1], "");
});

for (const [format, parse] of [["json", JSON.parse], ["yaml", load]] as const) {
  Deno.test(`${format} is all that the agent says, for programs`, async () => {
    const { code, out } = await ask(format);
    assert.equal(code, EXIT.done);
    const status = parse(out);
    assert.equal(status.node, "node-1");
    assert.deepEqual(status.parts, STATUS.parts);
    assert.equal(status.packages[0].kind, "PackageStatus");
    assert.equal(status.packages[1].message, "it is damaged");
  });
}

Deno.test("an agent that does not answer is one clear sentence and a failure", async () => {
  const address = freeAddress();
  let err = "";
  const code = await main(["status", "--status-address", address], {
    out: () => assert.fail("there is nothing to print"),
    err: (text) => void (err += text),
  });
  assert.equal(code, EXIT.failed);
  assert(err.startsWith(`holdfast: no agent answers on ${address}: `), err);
  assert.match(err, /start it with `holdfast agent`, or give its --status-address\n$/);
});

Deno.test("something else that answers there is not taken for an agent", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("nobody", { status: 404 }),
  );
  try {
    const terminal = { out: () => assert.fail(), err: () => {} };
    await assert.rejects(
      statusCommand(`127.0.0.1:${server.addr.port}`, "table", terminal),
      (error) => error instanceof StatusUnavailable && error.disposition === "terminal",
    );
  } finally {
    await server.shutdown();
  }
});
