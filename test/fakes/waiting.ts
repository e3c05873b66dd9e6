/**
 * What tests of waiting are made of: objects of a namespace `shop`, and a clock that runs by itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import { DeployError, type WaitOptions, waitReady } from "../../src/deploy/mod.ts";
import type { KubeObject, ObjectRef } from "../../src/kube/mod.ts";
import { ApiObjects, namespace } from "./api_objects.ts";
import { TestClock } from "./testing.ts";

/** An API server in memory with the namespace `shop`. */
export function cluster(): ApiObjects {
  const api = new ApiObjects();
  api.put(namespace("shop"));
  return api;
}

/** A reference to an object in `shop`. */
export function ref(kind: string, name: string, apiVersion = "v1"): ObjectRef {
  return { apiVersion, kind, name, namespace: "shop" };
}

/** A PersistentVolumeClaim in `shop`. */
export function claim(name: string, phase: string): KubeObject {
  const metadata = { name, namespace: "shop" };
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, status: { phase } } as never;
}

/** A pod whose container waits for this reason. */
export function pod(name: string, reason: string, restartCount = 0): KubeObject {
  const waiting = { reason, message: `because of ${reason}` };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", labels: { app: "web" } },
    status: {
      phase: "Pending",
      containerStatuses: [{ name: "c", restartCount, state: { waiting } }],
    },
  } as never;
}

/** A Deployment that is not ready and selects {@linkcode pod}. */
export function deployment(status: unknown = { observedGeneration: 1 }): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop", generation: 1 },
    spec: { replicas: 3, selector: { matchLabels: { app: "web" } } },
    status,
  } as never;
}

/** Waits on a clock of its own and says how long it took by it and what it said. */
export async function wait(api: ApiObjects, refs: ObjectRef[], more: Partial<WaitOptions> = {}) {
  const clock = new TestClock();
  const said: string[] = [];
  const onProgress = (message: string) => void said.push(message);
  let error: unknown;
  try {
    await waitReady(api.client, refs, { timeout: 300_000, clock, onProgress, ...more });
  } catch (thrown) {
    error = thrown;
  }
  return { error, said, seconds: clock.monotonic() / 1000 };
}

/** Why a wait ended that failed. */
export function reasonOf(error: unknown): string {
  assert.ok(error instanceof DeployError, String(error));
  return error.reason;
}
