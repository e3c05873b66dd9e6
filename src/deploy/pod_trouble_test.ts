import assert from "node:assert/strict";
import { MAX_RESTARTS, worst } from "./pod_trouble.ts";

interface PodParts {
  readonly name?: string;
  readonly created?: string;
  readonly hash?: string;
  readonly deleted?: boolean;
  readonly conditions?: unknown[];
  readonly containers?: unknown[];
  readonly init?: unknown[];
}

function pod(parts: PodParts): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: parts.name ?? "web-1",
      creationTimestamp: parts.created ?? "2026-01-01T00:00:00Z",
      labels: { "pod-template-hash": parts.hash ?? "new" },
      ...(parts.deleted ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    status: {
      conditions: parts.conditions,
      containerStatuses: parts.containers,
      initContainerStatuses: parts.init,
    },
  };
}

function waiting(reason: string, message = "", restartCount = 0, lastState = {}): unknown {
  return { name: "c", restartCount, state: { waiting: { reason, message } }, lastState };
}

const RUNNING = { name: "c", restartCount: 0, state: { running: {} } };

Deno.test("trouble of pods is told by how bad it is and what the kubelet says", () => {
  const ended = { terminated: { exitCode: 137, reason: "OOMKilled" } };
  const rows: [name: string, pods: PodParts[], severity: string | undefined, text: RegExp][] = [
    ["no pods", [], undefined, /^$/],
    ["a running pod", [{ containers: [RUNNING] }], undefined, /^$/],
    ["a pod without any status", [{}], undefined, /^$/],
    ["a container being made", [{ containers: [waiting("ContainerCreating")] }], undefined, /^$/],
    [
      "an image that is not there",
      [{ containers: [waiting("ImagePullBackOff", "not found")] }],
      "persistent",
      /pod web-1, container c: ImagePullBackOff: not found/,
    ],
    [
      "a missing secret",
      [{ containers: [waiting("CreateContainerConfigError", "secret x")] }],
      "persistent",
      /secret x/,
    ],
    [
      "trouble in an init container",
      [{ init: [waiting("ErrImagePull")] }],
      "persistent",
      /ErrImagePull$/,
    ],
    [
      "the first crashes",
      [{ containers: [waiting("CrashLoopBackOff", "", MAX_RESTARTS - 1)] }],
      "pending",
      /restarted 4 times/,
    ],
    [
      "one crash too many",
      [{ containers: [waiting("CrashLoopBackOff", "", MAX_RESTARTS, ended)] }],
      "fatal",
      /restarted 5 times after it ended with code 137 \(OOMKilled\)/,
    ],
    [
      "no place",
      [{ conditions: [{ type: "PodScheduled", status: "False", message: "0/1 nodes" }] }],
      "pending",
      /0\/1 nodes/,
    ],
    [
      "a condition that is false and another matter",
      [{
        conditions: [{ type: "Ready", status: "False", message: "containers not ready" }, {
          type: "PodScheduled",
          status: "True",
        }],
        containers: [waiting("ErrImagePull")],
      }],
      "persistent",
      /ErrImagePull$/,
    ],
    [
      "a place that nobody says anything about",
      [{ conditions: [{ type: "PodScheduled", status: "False" }] }],
      "pending",
      /pod web-1: unscheduled$/,
    ],
    [
      "the worst of several",
      [
        { containers: [waiting("ImagePullBackOff")] },
        { name: "web-2", containers: [waiting("CrashLoopBackOff", "", 9)] },
      ],
      "fatal",
      /web-2/,
    ],
    [
      "pods of an older revision do not count",
      [
        { hash: "old", containers: [waiting("CrashLoopBackOff", "", 9)] },
        { created: "2026-01-02T00:00:00Z", containers: [RUNNING] },
      ],
      undefined,
      /^$/,
    ],
    [
      "a pod on its way out",
      [{ deleted: true, containers: [waiting("ErrImagePull")] }],
      undefined,
      /^$/,
    ],
  ];
  for (const [name, pods, severity, text] of rows) {
    const trouble = worst(pods.map(pod));
    assert.equal(trouble?.severity, severity, name);
    assert.match(trouble?.message ?? "", text, name);
  }
});

Deno.test("what is no pod is passed over", () => {
  assert.equal(worst([null, 7, {}, { metadata: {} }]), undefined);
});

Deno.test("an image that its registry lacks is called by the name it was written with", () => {
  const rows: [message: string, original: boolean, missing: boolean, text: RegExp][] = [
    ["127.0.0.1:31999/x:1-zarf-1: not found", true, true, /image docker\.io\/x:1 is not in the/],
    ["127.0.0.1:31999/x:1-zarf-1: not found", false, true, /^pod web-1, container c: Err\S+: 127/],
    ["dial tcp: connection refused", true, false, /connection refused$/],
  ];
  for (const [message, original, missing, text] of rows) {
    const given = pod({ containers: [waiting("ErrImagePull", message)] }) as {
      metadata: Record<string, unknown>;
    };
    if (original) given.metadata["annotations"] = { "zarf.dev/original-image-c": "docker.io/x:1" };
    const trouble = worst([given]);
    assert.equal(trouble?.imageMissing === true, missing, message);
    assert.equal(trouble?.severity, "persistent");
    assert.match(trouble?.message ?? "", text);
  }
});

Deno.test("a container that ends again and again says how often and whether at once", () => {
  const ended = (finishedAt: string) => ({
    terminated: { exitCode: 1, startedAt: "2026-01-01T00:00:00Z", finishedAt },
  });
  const rows: [finishedAt: string, short: boolean][] = [
    ["2026-01-01T00:00:09Z", true],
    ["2026-01-01T00:00:10Z", false],
    ["2026-01-01T00:01:00Z", false],
  ];
  for (const [finishedAt, short] of rows) {
    const containers = [waiting("CrashLoopBackOff", "", 2, ended(finishedAt))];
    const trouble = worst([pod({ containers })]);
    assert.deepEqual(trouble?.crash, {
      ...{ pod: "web-1", container: "c", restarts: 2 },
      ...{ short, ended: true },
    });
  }
  const lastState = ended("2026-01-01T00:00:01Z");
  const states: [
    state: unknown,
    restarts: number,
    ended: boolean | undefined,
    severity?: string,
  ][] = [
    [{ running: {} }, 2, false, "pending"],
    [{ running: {} }, MAX_RESTARTS, false, "pending"],
    [{ terminated: { exitCode: 1 } }, MAX_RESTARTS, true, "fatal"],
    [{ terminated: { exitCode: 0 } }, 2, undefined],
    [{ terminated: { exitCode: 1 } }, 0, undefined],
    [{ running: {} }, 0, undefined],
  ];
  for (const [state, restartCount, isEnded, severity] of states) {
    const trouble = worst([pod({ containers: [{ name: "c", restartCount, state, lastState }] })]);
    assert.equal(trouble?.crash?.ended, isEnded, JSON.stringify(state));
    assert.equal(trouble?.severity, severity);
  }
});
