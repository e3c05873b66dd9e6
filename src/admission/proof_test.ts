import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import type { KubeObject } from "../kube/mod.ts";
import { transformImage } from "../refs/mod.ts";
import { type ProofOptions, proveWebhook } from "./proof.ts";

type Pod = KubeObject & { spec: { containers: { image: string }[] } };

/** An API server that stores what `change` makes of a pod's image; also how often it was asked. */
async function proof(
  change: (image: string, pod: Pod, attempt: number) => string | Response,
  options: Partial<ProofOptions> = {},
): Promise<[string | undefined, number]> {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  let attempts = 0;
  api.intercept = ({ method, path, body, query }) => {
    if (method !== "POST" || path !== "/api/v1/namespaces/zarf/pods") return undefined;
    assert.equal(query.get("dryRun"), "All", "no pod is stored");
    const pod: Pod = JSON.parse(body);
    const [container] = pod.spec.containers;
    assert(container);
    const image = change(container.image, pod, ++attempts);
    if (image instanceof Response) return image;
    container.image = image;
    return Response.json(pod);
  };
  const why = await proveWebhook(api.client, {
    agent: "Holdfast",
    registryAddresses: ["127.0.0.1:31999", ""],
    clock: new TestClock(),
    ...options,
  });
  return [why, attempts];
}

const rewritten = (image: string) => transformImage("127.0.0.1:31999", image);

Deno.test("a pod that comes back rewritten is the proof, as soon as it does", async () => {
  assert.deepEqual(await proof(rewritten), [undefined, 1]);
  assert.deepEqual(
    await proof((image, _, attempt) => attempt < 4 ? image : rewritten(image)),
    [undefined, 4],
  );
  const other = ["127.0.0.1:31999", "registry.example.com"];
  const elsewhere = (image: string) => transformImage("registry.example.com", image);
  assert.deepEqual(await proof(elsewhere, { registryAddresses: other }), [undefined, 1]);
});

Deno.test("without a proof it is said why, after the time that it may take", async () => {
  const cases: [(image: string) => string | Response, RegExp][] = [
    [(image) => image, /came back unchanged: no agent answers/],
    [() => "other/image", /came back with the image other\/image in place of 127\.0\.0\.1:31999\//],
    [() => status(403, "Forbidden", "quota"), /a trial pod was refused: .*quota/],
  ];
  for (const [change, message] of cases) {
    const [why, attempts] = await proof(change);
    assert.match(why ?? "", message);
    assert.ok(attempts > 20, String(attempts));
    assert.deepEqual((await proof(change, { timeout: 0 }))[1], 1);
  }
});

Deno.test("Zarf's agent passes over labelled pods, so its proof has no label and Holdfast's has", async () => {
  for (const agent of ["Holdfast", "Zarf"] as const) {
    const [why] = await proof((image, { metadata }) => {
      const isLabelled = metadata.labels?.["zarf-agent"] === "patched";
      assert.equal(isLabelled, agent === "Holdfast");
      return rewritten(image);
    }, { agent });
    assert.equal(why, undefined);
  }
});
