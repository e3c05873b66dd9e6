import assert from "node:assert/strict";
import { verdict } from "../../test/fakes/verdicts.ts";
import type { NodeStatus } from "./page.ts";
import { answer, serveStatus, StatusError, type StatusSource } from "./server.ts";

const deploying = verdict({
  phase: "Deploying",
  reason: "Deploying",
  message: "component front is being deployed",
  components: [{ name: "front", phase: "Deploying", message: "1 of 3 <ready>" }],
  progress: { bytes: 5, totalBytes: 10 },
});

function source(change: Partial<NodeStatus> = {}): StatusSource {
  return {
    status: () => ({
      node: "node-1",
      version: "1.2.3",
      parts: [{ name: "registry", ok: true, message: "listens" }],
      packages: [deploying],
      ...change,
    }),
    metrics: () => [
      { name: "holdfast_up", help: "One.", type: "gauge", samples: [{ value: 1 }] },
    ],
  };
}

const get = (path: string, from = source()) => answer(from, new Request(`http://status${path}`));

Deno.test("the page shows package, phase, message and components, with markup escaped", async () => {
  const page = await get("/").text();
  assert.match(page, /web 1\.0\.0/);
  assert.match(page, /Deploying/);
  assert.match(page, /component front is being deployed/);
  assert(page.includes("1 of 3 &#60;ready&#62;"), "component messages are escaped");
});

Deno.test("a file that is being received shows how far it is", async () => {
  const receiving = { ...deploying, phase: "Receiving" as const };
  assert.match(await get("/", source({ packages: [receiving] })).text(), /\(50 %\)/);
});

Deno.test("a node without packages says so", async () => {
  assert.match(await get("/", source({ packages: [] })).text(), /No package was dropped yet/);
});

Deno.test("the API gives the same verdicts as the files", async () => {
  const packages = await get("/api/v1/packages").json();
  assert.equal(packages[0].kind, "PackageStatus");
  assert.equal(packages[0].phase, "Deploying");
  const status = await get("/api/v1/status").json();
  assert.equal(status.node, "node-1");
  assert.deepEqual(status.packages[0].components, deploying.components);
});

Deno.test("metrics, liveness and readiness answer as probes expect", async () => {
  assert.match(await get("/metrics").text(), /^holdfast_up 1$/m);
  assert.equal(get("/livez").status, 200);
  assert.equal(get("/readyz").status, 200);
  const bad = source({ parts: [{ name: "registry", ok: false, message: "port taken" }] });
  const response = get("/readyz", bad);
  assert.equal(response.status, 503);
  assert.equal(await response.text(), "registry: port taken\n");
  assert.equal(get("/livez", bad).status, 200);
});

Deno.test("nothing can be written and nothing else is found", () => {
  const post = answer(source(), new Request("http://status/", { method: "POST", body: "x" }));
  assert.equal(post.status, 405);
  assert.equal(get("/api/v2/packages").status, 404);
});

Deno.test("a taken address is one clear sentence", async () => {
  const first = serveStatus(source(), { hostname: "127.0.0.1", port: 0 });
  try {
    assert.throws(
      () => serveStatus(source(), { hostname: "127.0.0.1", port: first.port }),
      (error: unknown) => {
        assert(error instanceof StatusError);
        assert.equal(error.reason, "AddressInUse");
        assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${first.port}.*another program`));
        return true;
      },
    );
    const response = await fetch(`http://127.0.0.1:${first.port}/livez`);
    assert.equal(await response.text(), "ok\n");
  } finally {
    await first.shutdown();
  }
});
