import assert from "node:assert/strict";
import { type AnyObject, ApiObjects } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { newKey } from "../../test/fakes/signer.ts";
import { eventually, loggerOf } from "../../test/fakes/testing.ts";
import { systemClock } from "../std/mod.ts";
import { requestPem } from "./certificate_request.ts";
import { CsrApprover } from "./csr_approver.ts";

const CSR = { apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest" };

function put(
  api: ApiObjects,
  name: string,
  commonName = "holdfast:node:n1",
  node = "n1",
  organization = "holdfast:nodes",
): void {
  api.put({
    ...CSR,
    metadata: { name },
    spec: {
      signerName: "kubernetes.io/kube-apiserver-client",
      request: btoa(requestPem(newKey(), { commonName, organization })),
      username: `system:node:${node}`,
      groups: ["system:nodes"],
      usages: ["client auth", "digital signature"],
      expirationSeconds: 600,
    },
    status: {},
  });
}

const node = (name: string) => ({ apiVersion: "v1", kind: "Node", metadata: { name } });

interface Condition {
  readonly type: string;
  readonly message: string;
}

function conditions(api: ApiObjects, name: string): Condition[] {
  const found = api.find("certificatesigningrequests", name) as AnyObject | undefined;
  const status = found?.status as { conditions?: Condition[] } | undefined;
  return status?.conditions ?? [];
}

interface Stage {
  readonly api: ApiObjects;
  readonly lines: string[];
  readonly ensured: string[];
  fail: boolean;
  changed: AbortController;
}

/** Runs `action` with one or more approvers at work. */
async function staged(action: (stage: Stage) => Promise<void>, agents = 1): Promise<void> {
  await using api = new ApiObjects();
  const { logger, lines } = loggerOf();
  const stop = new AbortController();
  const stage: Stage = { api, lines, ensured: [], fail: false, changed: new AbortController() };
  const say = (what: string) => {
    if (stage.fail) return Promise.reject(new Error("no rights today"));
    stage.ensured.push(what);
    return Promise.resolve();
  };
  api.put(node("n1"));
  const running = Array.from({ length: agents }, () =>
    new CsrApprover({
      kube: api.client,
      logger,
      rights: { ensure: () => say("ensure"), keep: () => say("keep") },
      changed: () => stage.changed.signal,
      // Sleeps pass quickly, but not at once.
      clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) },
      random: () => 0.5,
    }).run(stop.signal));
  try {
    await action(stage);
  } finally {
    stop.abort();
    await Promise.all(running);
  }
}

Deno.test("a request that is right is approved, after its rights are there", () =>
  staged(async ({ api, ensured, lines }) => {
    put(api, "a");
    await eventually(() => conditions(api, "a").length > 0);
    const [condition] = conditions(api, "a");
    assert.equal(condition?.type, "Approved");
    assert.match(condition?.message ?? "", /the agent of node n1/);
    assert(ensured.includes("ensure"));
    await eventually(() => lines.some((line) => /approved.*request=a/.test(line)));
    assert(
      api.peer.seen.some(({ path, method }) => method === "PUT" && path.endsWith("/approval")),
    );
  }));

Deno.test("a request under a foreign name is denied, and gives nobody rights", () =>
  staged(async ({ api, ensured, lines }) => {
    put(api, "b", "holdfast:node:n1", "n2");
    await eventually(() => conditions(api, "b").length > 0);
    assert.equal(conditions(api, "b")[0]?.type, "Denied");
    assert.match(conditions(api, "b")[0]?.message ?? "", /node n2 may ask for/);
    assert(!ensured.includes("ensure"));
    await eventually(() => lines.some((line) => /denied/.test(line)));
  }));

Deno.test("what others ask for is not written to", () =>
  staged(async ({ api }) => {
    put(api, "c", "alice", "n1", "users");
    put(api, "d");
    await eventually(() => conditions(api, "d").length > 0);
    assert.deepEqual(api.writes, ["PUT certificatesigningrequests/d"]);
  }));

Deno.test("a request waits for its Node, and is then approved", () =>
  staged(async ({ api }) => {
    put(api, "e", "holdfast:node:late", "late");
    put(api, "f");
    await eventually(() => conditions(api, "f").length > 0);
    assert.deepEqual(conditions(api, "e"), []);
    api.put(node("late"));
    await eventually(() => conditions(api, "e").length > 0);
    assert.equal(conditions(api, "e")[0]?.type, "Approved");
  }));

Deno.test("what keeps it from its work is said once, and tried again", () =>
  staged(async (stage) => {
    const { api, lines } = stage;
    stage.fail = true;
    put(api, "g");
    await eventually(() => lines.some((line) => /request g: no rights today/.test(line)));
    assert.deepEqual(conditions(api, "g"), []);
    stage.fail = false;
    await eventually(() => conditions(api, "g").length > 0);
    assert.equal(conditions(api, "g")[0]?.type, "Approved");
  }));

Deno.test("of several agents one decides, and none is disturbed by the others", () =>
  staged(async ({ api, lines }) => {
    for (let at = 0; at < 5; at++) put(api, `h${at}`);
    for (let at = 0; at < 5; at++) await eventually(() => conditions(api, `h${at}`).length > 0);
    await systemClock.sleep(100);
    for (let at = 0; at < 5; at++) assert.equal(conditions(api, `h${at}`).length, 1);
    assert(!lines.some((line) => /^warn/i.test(line)), lines.join("\n"));
  }, 3));

Deno.test("an API server that refuses is tried again", () =>
  staged(async ({ api }) => {
    let refused = 0;
    api.intercept = ({ method }) =>
      method === "PUT" && refused++ < 2 ? status(500, "InternalError") : undefined;
    put(api, "i");
    await eventually(() => conditions(api, "i").length > 0);
    assert.equal(refused, 3);
  }));

Deno.test("the rights are looked at when the state changes", () =>
  staged(async (stage) => {
    await eventually(() => stage.ensured.length > 0);
    const before = stage.ensured.length;
    const last = stage.changed;
    stage.changed = new AbortController();
    last.abort();
    await eventually(() => stage.ensured.length > before);
  }));
