import assert from "node:assert/strict";
import { ApiPeer, status } from "../../test/fakes/api_peer.ts";
import { KubeError } from "./errors.ts";
import { recordEvent } from "./events.ts";

const EVENT = {
  regarding: { apiVersion: "v1", kind: "Pod", namespace: "a", name: "p", uid: "u" },
  reason: "Deployed",
  note: "the package is deployed",
  type: "Normal",
  instance: "n1",
  at: new Date(0),
} as const;

Deno.test("an Event has every field that the API wants", async () => {
  await using peer = new ApiPeer(({ body }) => Response.json(JSON.parse(body)));
  await recordEvent(peer.client, EVENT);
  const [seen = assert.fail()] = peer.seen;
  assert.equal(seen.path, "/apis/events.k8s.io/v1/namespaces/a/events");
  const { metadata, ...event } = JSON.parse(seen.body);
  assert.match(metadata.name, /^p\.[0-9a-f]{16}$/);
  assert.equal(metadata.namespace, "a");
  assert.deepEqual(event, {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    eventTime: "1970-01-01T00:00:00.000000Z",
    reportingController: "holdfast.dev/agent",
    reportingInstance: "n1",
    reason: "Deployed",
    action: "Deployed",
    type: "Normal",
    note: "the package is deployed",
    regarding: EVENT.regarding,
  });
});

Deno.test("an Event about what has no namespace goes to default", async () => {
  await using peer = new ApiPeer(({ body }) => Response.json(JSON.parse(body)));
  await recordEvent(peer.client, {
    ...EVENT,
    regarding: { apiVersion: "v1", kind: "Node", name: "n1" },
  });
  assert.equal(peer.seen[0]?.path, "/apis/events.k8s.io/v1/namespaces/default/events");
});

Deno.test("texts are cut to what the API takes, in whole characters", async () => {
  await using peer = new ApiPeer(({ body }) => Response.json(JSON.parse(body)));
  await recordEvent(peer.client, {
    ...EVENT,
    note: "x" + "ä".repeat(2000),
    reason: "r".repeat(500),
  });
  const { note, reason, action } = JSON.parse(peer.seen[0]?.body ?? "");
  assert.equal(note, "x" + "ä".repeat(511));
  assert.equal(new TextEncoder().encode(note).length, 1023);
  assert.equal(reason.length, 128);
  assert.equal(action.length, 128);
});

Deno.test("a refused Event is an error for the caller to judge", async () => {
  await using peer = new ApiPeer(() => status(403, "Forbidden"));
  await assert.rejects(recordEvent(peer.client, EVENT), KubeError);
});
