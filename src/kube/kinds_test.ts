import assert from "node:assert/strict";
import { ApiPeer } from "../../test/fakes/api_peer.ts";
import { KubeError } from "./errors.ts";
import { findKind, type ServedKind, servedKinds } from "./kinds.ts";

function resource(
  resource: string,
  kind: string,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    resource,
    responseKind: { group: "", version: "", kind },
    scope: "Namespaced",
    singularResource: kind.toLowerCase(),
    ...more,
  };
}

/** What a server answers, cut down to a few kinds. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  "/api": {
    kind: "APIGroupDiscoveryList",
    items: [{
      metadata: {},
      versions: [{
        version: "v1",
        resources: [
          resource("services", "Service", { shortNames: ["svc"] }),
          resource("namespaces", "Namespace", { scope: "Cluster", shortNames: ["ns"] }),
          resource("pods", "Pod", { shortNames: ["po"] }),
        ],
      }],
    }],
  },
  "/apis": {
    kind: "APIGroupDiscoveryList",
    items: [
      {
        metadata: { name: "apps" },
        versions: [{
          version: "v1",
          resources: [resource("deployments", "Deployment", { shortNames: ["deploy"] })],
        }],
      },
      {
        metadata: { name: "example.com" },
        versions: [
          {
            version: "v2",
            resources: [resource("services", "Service"), resource("gizmos", "Gizmo")],
          },
          { version: "v1", resources: [resource("gizmos", "Gizmo"), resource("pots", "po")] },
        ],
      },
      { metadata: { name: "stale.example.com" }, versions: [{ version: "v1" }] },
    ],
  },
};

async function kindsOf(answers: Readonly<Record<string, unknown>>): Promise<ServedKind[]> {
  await using peer = new ApiPeer(({ path }) =>
    Response.json(answers[path] ?? {}, { status: answers[path] === undefined ? 404 : 200 })
  );
  return await servedKinds(peer.client);
}

Deno.test("a kind is found by every name that kubectl knows it by", async () => {
  const kinds = await kindsOf(ANSWERS);
  const rows: [name: string, expected: string | undefined][] = [
    ["pods", "v1 Pod"],
    ["pod", "v1 Pod"],
    ["Pod", "v1 Pod"],
    ["PODS", "v1 Pod"],
    ["po", "v1 Pod"],
    ["ns", "v1 Namespace"],
    ["svc", "v1 Service"],
    ["services", "v1 Service"],
    ["services.example.com", "example.com/v2 Service"],
    ["deploy", "apps/v1 Deployment"],
    ["deployments.apps", "apps/v1 Deployment"],
    ["deployments.v1.apps", "apps/v1 Deployment"],
    ["Deployment.v1.apps", "apps/v1 Deployment"],
    ["deployments.app", "apps/v1 Deployment"],
    ["deploy.apps", "apps/v1 Deployment"],
    ["gizmo", "example.com/v2 Gizmo"],
    ["gizmos.v1.example.com", "example.com/v1 Gizmo"],
    ["gizmos.v3.example.com", undefined],
    ["gizmos.other.com", undefined],
    ["nothing", undefined],
    ["", undefined],
  ];
  for (const [name, expected] of rows) {
    const found = findKind(kinds, name);
    const version = found?.group ? `${found.group}/${found.version}` : found?.version;
    assert.equal(found && `${version} ${found.kind}`, expected, name);
  }
});

Deno.test("it is known which kinds have namespaces", async () => {
  const kinds = await kindsOf(ANSWERS);
  assert.equal(findKind(kinds, "ns")?.namespaced, false);
  assert.equal(findKind(kinds, "po")?.namespaced, true);
});

Deno.test("a server that has no such list is told apart from one that fails", async () => {
  for (
    const [answers, reason] of [
      [{ "/api": { kind: "APIVersions", versions: ["v1"] } }, "BadResponse"],
      [{}, "BadResponse"],
    ] as const
  ) {
    await assert.rejects(
      kindsOf(answers),
      (error) => error instanceof KubeError && error.reason === reason,
    );
  }
  await using peer = new ApiPeer(() => new Response("not now", { status: 503 }));
  await assert.rejects(
    servedKinds(peer.client),
    (error) => error instanceof KubeError && error.reason === "ServerError",
  );
});
