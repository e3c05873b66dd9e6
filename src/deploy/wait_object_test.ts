import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import { KubeError, type KubeObject } from "../kube/mod.ts";
import type { ExecResult } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import {
  conditionHolds,
  type ObjectWait,
  type ObjectWaitOptions,
  parseCondition,
  waitForObject,
} from "./wait_object.ts";

/** An API server in memory that also says which kinds it has. */
class Site implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly clock = new TestClock();
  readonly kubectl: string[][] = [];
  readonly said: string[] = [];
  answer: Partial<ExecResult> = {};
  kinds = [
    ["", "v1", "ConfigMap", "configmaps", "cm"],
    ["", "v1", "Pod", "pods", "po"],
    ["apps", "v1", "Deployment", "deployments", "deploy"],
  ];

  constructor() {
    this.api.put(namespace("shop"));
    this.api.intercept = ({ path }) => {
      if (path !== "/api" && path !== "/apis") return undefined;
      const of = this.kinds.filter(([group]) => (group === "") === (path === "/api"));
      return Response.json({
        kind: "APIGroupDiscoveryList",
        items: of.map(([name, version, kind, resource, short]) => ({
          metadata: { name },
          versions: [{
            version,
            resources: [{
              resource,
              responseKind: { kind },
              scope: "Namespaced",
              shortNames: [short],
            }],
          }],
        })),
      });
    };
  }

  wait(wait: Partial<ObjectWait>, more: Partial<ObjectWaitOptions> = {}): Promise<void> {
    const whole = { kind: "cm", name: "", namespace: "shop", condition: "", ...wait };
    return waitForObject(this.api.client, whole, {
      timeout: 5_000,
      clock: this.clock,
      onProgress: (message) => this.said.push(message),
      kubectl: (args) => {
        this.kubectl.push([...args]);
        return Promise.resolve({
          code: 1,
          timedOut: false,
          stdout: "",
          stderr: "",
          ...this.answer,
        });
      },
      ...more,
    });
  }

  /** What was missing when the time was up, or `met`. */
  async outcome(wait: Partial<ObjectWait>, more: Partial<ObjectWaitOptions> = {}): Promise<string> {
    try {
      await this.wait(wait, more);
      return "met";
    } catch (error) {
      assert.ok(error instanceof DeployError, String(error));
      assert.equal(error.reason, "TimedOut");
      return error.message.replace("not so within 5 s: ", "");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
  }
}

function object(kind: string, name: string, more: Record<string, unknown> = {}): KubeObject {
  const apiVersion = kind === "Deployment" ? "apps/v1" : "v1";
  const labels = { app: name.replace(/-.*/, "") };
  return { apiVersion, kind, metadata: { name, namespace: "shop", labels }, ...more };
}

const ready = (status: string) => ({ status: { conditions: [{ type: "Ready", status }] } });

Deno.test("objects are waited for as Zarf does", async () => {
  await using site = new Site();
  site.api.put(object("ConfigMap", "text"));
  site.api.put(object("Pod", "web-1", ready("True")));
  site.api.put(object("Pod", "web-2", ready("False")));
  const rows: [wait: Partial<ObjectWait>, expected: string][] = [
    [{ name: "text" }, "met"],
    [{ name: "text", condition: "exists" }, "met"],
    [{ name: "text", condition: "Create" }, "met"],
    [{ kind: "configmaps", name: "text" }, "met"],
    [{ name: "none" }, "ConfigMap none in namespace shop is not there yet"],
    [{ name: "text", namespace: "" }, "ConfigMap text in namespace default is not there yet"],
    [{}, "met"],
    [{ namespace: "default" }, "there is no ConfigMap in namespace default"],
    [{ kind: "deploy", condition: "Available" }, "there is no Deployment in namespace shop"],
    [{ kind: "gizmo", name: "x" }, "the cluster has no kind gizmo"],
    [{ name: "none", condition: "delete" }, "met"],
    [{ name: "text", condition: "delete" }, "ConfigMap text in namespace shop is still there"],
    [{ kind: "po", name: "web-1", condition: "Ready" }, "met"],
    [{ kind: "po", name: "web-1", condition: "ready" }, "met"],
    [
      { kind: "po", name: "web-2", condition: "'Ready'" },
      "Pod web-2: its condition Ready is not true",
    ],
    [{ kind: "po", name: "web-2", condition: "Ready=False" }, "met"],
    [{ kind: "po", name: "app=web" }, "met"],
    [
      { kind: "po", name: "app=web", condition: "Ready" },
      "Pod web-2: its condition Ready is not true",
    ],
    [{ kind: "po", name: "app=none" }, "Pod app=none in namespace shop is not there yet"],
    [{ kind: "po", name: "app=none", condition: "delete" }, "met"],
  ];
  for (const [wait, expected] of rows) {
    assert.equal(await site.outcome(wait), expected, JSON.stringify(wait));
  }
  assert.deepEqual(site.kubectl, []);
});

Deno.test("without a condition a command of a person waits until the object is ready", async () => {
  await using site = new Site();
  site.api.put(object("Pod", "web", { status: { phase: "Pending" } }));
  assert.equal(await site.outcome({ kind: "po", name: "web" }), "met");
  const ready = { readyByDefault: true };
  assert.equal(await site.outcome({ kind: "po", name: "web" }, ready), "Pod web: starting");
  assert.equal(await site.outcome({ kind: "po", name: "web", condition: "exists" }, ready), "met");
});

Deno.test("it is looked again every second, and told what is missing when that changes", async () => {
  await using site = new Site();
  site.kinds = site.kinds.slice(0, 2);
  site.clock.sleep = (ms) => {
    assert.equal(ms, 1_000);
    const { length } = site.clock.slept;
    site.clock.slept.push(ms);
    if (length === 1) site.kinds.push(["apps", "v1", "Deployment", "deployments", "deploy"]);
    if (length === 3) site.api.put(object("Deployment", "web"));
    return Promise.resolve();
  };
  await site.wait({ kind: "deploy", name: "web" });
  assert.deepEqual(site.said, [
    "the cluster has no kind deploy",
    "Deployment web in namespace shop is not there yet",
  ]);
  assert.equal(site.clock.slept.length, 4);
});

Deno.test("an API server that does not answer is borne, one that refuses for good is not", async () => {
  await using site = new Site();
  const { intercept } = site.api;
  site.api.put(object("ConfigMap", "text"));
  let failures = 2;
  site.api.intercept = (request) =>
    failures-- > 0 ? Response.json({ message: "leaderless" }, { status: 503 }) : intercept(request);
  await site.wait({ name: "text" });
  site.api.intercept = (request) =>
    request.query.has("labelSelector")
      ? Response.json({ reason: "Invalid", message: "unable to parse" }, { status: 422 })
      : intercept(request);
  await assert.rejects(
    site.wait({ name: "a==b=c" }),
    (error) => error instanceof KubeError && error.reason === "Invalid",
  );
});

Deno.test("a JSON path is for kubectl to judge", async () => {
  await using site = new Site();
  site.answer = { stderr: "x\nerror: timed out waiting for the condition on pods/web\n" };
  const condition = "'{.status.phase}'=Running";
  assert.equal(
    await site.outcome({ kind: "po", name: "web", condition }),
    "Pod web in namespace shop is not {.status.phase}=Running: " +
      "timed out waiting for the condition on pods/web",
  );
  assert.ok(site.kubectl.length > 1);
  assert.deepEqual(site.kubectl[0], [
    "wait",
    "Pod/web",
    "--for=jsonpath={.status.phase}=Running",
    "--timeout=5s",
    "--namespace=shop",
  ]);
  site.answer = { code: 0 };
  site.kubectl.length = 0;
  const more = { timeout: 60_000 };
  assert.equal(await site.outcome({ kind: "deploy", name: "app=web", condition }, more), "met");
  assert.deepEqual(site.kubectl, [[
    "wait",
    "Deployment.apps",
    "--selector=app=web",
    "--for=jsonpath={.status.phase}=Running",
    "--timeout=10s",
    "--namespace=shop",
  ]]);
});

Deno.test("a wait is broken off by its signal", async () => {
  await using site = new Site();
  const stop = new AbortController();
  site.clock.sleep = () => Promise.resolve(stop.abort());
  await assert.rejects(
    site.wait({ name: "none" }, { signal: stop.signal }),
    (error) => error instanceof DeployError && error.reason === "Cancelled",
  );
});

Deno.test("a condition is read as kubectl wait reads it", () => {
  const rows: [text: string, expected: unknown][] = [
    ["", { type: "exists" }],
    ["exist", { type: "exists" }],
    ["delete", { type: "delete" }],
    ["Delete", { type: "condition", name: "Delete", status: "true" }],
    ["Ready", { type: "condition", name: "Ready", status: "true" }],
    ["Ready=Unknown", { type: "condition", name: "Ready", status: "Unknown" }],
    ["{.status.availableReplicas}=1", { type: "jsonpath", text: "{.status.availableReplicas}=1" }],
    [
      "'{.status.containerStatuses[0].ready}'=true",
      { type: "jsonpath", text: "{.status.containerStatuses[0].ready}=true" },
    ],
  ];
  for (const [text, expected] of rows) assert.deepEqual(parseCondition(text), expected, text);
});

Deno.test("a condition counts only for the generation that was observed", () => {
  const rows: [name: string, status: unknown, expected: boolean][] = [
    ["none", undefined, false],
    ["no list", { conditions: "x" }, false],
    ["another", { conditions: [{ type: "B", status: "True" }] }, false],
    ["no status", { conditions: [{ type: "A" }, { type: "A", status: "True" }] }, true],
    ["the first decides", {
      conditions: [{ type: "a", status: "False" }, { type: "A", status: "True" }],
    }, false],
    ["any case", { conditions: [{ type: "a", status: "TRUE" }] }, true],
    ["observed", { observedGeneration: 2, conditions: [{ type: "A", status: "True" }] }, true],
    ["behind", { observedGeneration: 1, conditions: [{ type: "A", status: "True" }] }, false],
    ["its own is newer", {
      observedGeneration: 1,
      conditions: [{ type: "A", status: "True", observedGeneration: 2 }],
    }, true],
  ];
  for (const [name, status, expected] of rows) {
    const metadata = { name: "x", generation: 2 };
    const object = { apiVersion: "v1", kind: "X", metadata, status };
    assert.equal(conditionHolds(object, "A", "true"), expected, name);
  }
});
