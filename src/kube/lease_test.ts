import assert from "node:assert/strict";
import { type Answer, ApiPeer, silence, status } from "../../test/fakes/api_peer.ts";
import { AwakeClock } from "../../test/fakes/testing.ts";
import { acquireLease } from "./lease.ts";
import { KubeError } from "./errors.ts";
import { microTime } from "./time.ts";

interface Spec {
  holderIdentity: string;
  leaseDurationSeconds: number;
  renewTime: string;
  acquireTime: string;
  leaseTransitions: number;
}

/** One Lease with a version, as an API server keeps it. */
class LeaseStore {
  spec: Spec | undefined;
  version = 0;
  hang = false;

  readonly answer: Answer = ({ method, body }, raw) => {
    if (this.hang) return silence(raw);
    if (method === "GET") return this.spec === undefined ? status(404, "NotFound") : this.#shown();
    const { spec, metadata } = JSON.parse(body);
    if (method === "POST" && this.spec !== undefined) return status(409, "AlreadyExists");
    if (method === "PUT" && metadata.resourceVersion !== String(this.version)) {
      return status(409, "Conflict");
    }
    this.put(spec);
    return this.#shown();
  };

  put(spec: Partial<Spec>): void {
    const empty = { holderIdentity: "", leaseDurationSeconds: 1, leaseTransitions: 0 };
    this.spec = { ...empty, renewTime: "", acquireTime: "", ...spec };
    this.version++;
  }

  #shown(): Response {
    const metadata = { namespace: "zarf", name: "holdfast", resourceVersion: String(this.version) };
    return Response.json({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata,
      spec: this.spec,
    });
  }
}

const LEASE = { namespace: "zarf", name: "holdfast", leaseDuration: 1_000 } as const;
/** Long enough that a busy machine renews it in time, on a clock that knows no pauses. */
const LONG_LEASE = { ...LEASE, leaseDuration: 3_000 } as const;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < end, "it did not happen");
    await pause(20);
  }
}

Deno.test("the first one gets the lease, with times that the API takes", async () => {
  const store = new LeaseStore();
  await using peer = new ApiPeer(store.answer);
  const lease = await acquireLease(peer.client, { ...LEASE, identity: "n1" });
  assert.ok(lease.held && !lease.lost.aborted);
  assert.equal(store.spec?.holderIdentity, "n1");
  assert.match(store.spec?.renewTime ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  await lease.release();
  assert.equal(store.spec?.holderIdentity, "");
  assert.ok(!lease.held);
});

Deno.test("it is renewed for as long as it is held, and acquired once", async () => {
  using clock = new AwakeClock();
  const store = new LeaseStore();
  await using peer = new ApiPeer(store.answer);
  const lease = await acquireLease(peer.client, { ...LONG_LEASE, clock, identity: "n1" });
  const first = { ...store.spec };
  await until(() => store.version >= 4);
  assert.ok(lease.held);
  assert.equal(store.spec?.acquireTime, first.acquireTime);
  assert.notEqual(store.spec?.renewTime, first.renewTime);
  assert.equal(store.spec?.leaseTransitions, 0);
  await lease.release();
});

Deno.test("of two only one holds it; the other follows at once after a release", async () => {
  using clock = new AwakeClock();
  const store = new LeaseStore();
  await using peer = new ApiPeer(store.answer);
  const first = await acquireLease(peer.client, { ...LONG_LEASE, clock, identity: "n1" });
  let second: Awaited<ReturnType<typeof acquireLease>> | undefined;
  const waiting = acquireLease(peer.client, { ...LONG_LEASE, clock, identity: "n2" }).then((l) =>
    second = l
  );
  await until(() => store.version >= 5);
  assert.equal(second, undefined, "a lease that is renewed does not expire");
  const started = clock.monotonic();
  await first.release();
  const lease = await waiting;
  assert.ok(clock.monotonic() - started < LONG_LEASE.leaseDuration, "it did not wait for the end");
  assert.equal(store.spec?.holderIdentity, "n2");
  assert.equal(store.spec?.leaseTransitions, 1);
  await lease.release();
});

Deno.test("a holder that died is followed after its duration by our clock, whatever its times say", async (t) => {
  for (
    const renewTime of ["1970-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z", "rubbish"]
  ) {
    await t.step(renewTime, async () => {
      const store = new LeaseStore();
      store.put({ holderIdentity: "dead", leaseDurationSeconds: 1, renewTime });
      await using peer = new ApiPeer(store.answer);
      const started = performance.now();
      const lease = await acquireLease(peer.client, { ...LEASE, identity: "n1" });
      const waited = performance.now() - started;
      assert.ok(waited >= 1_000 && waited < 20_000, `${waited}`);
      await lease.release();
    });
  }
});

Deno.test("whoever comes back under the same identity goes on at once", async () => {
  const store = new LeaseStore();
  store.put({ holderIdentity: "n1", leaseDurationSeconds: 60 });
  await using peer = new ApiPeer(store.answer);
  const started = performance.now();
  const lease = await acquireLease(peer.client, { ...LEASE, identity: "n1" });
  assert.ok(performance.now() - started < 20_000, "not after the minute of the old one");
  assert.equal(store.spec?.leaseTransitions, 0);
  await lease.release();
});

Deno.test("it is lost in time when the API server does not answer", async () => {
  using clock = new AwakeClock();
  const store = new LeaseStore();
  await using peer = new ApiPeer(store.answer);
  const lease = await acquireLease(peer.client, { ...LONG_LEASE, clock, identity: "n1" });
  store.hang = true;
  const started = clock.monotonic();
  await new Promise((resolve) => lease.lost.addEventListener("abort", resolve));
  assert.ok(clock.monotonic() - started < LONG_LEASE.leaseDuration, "before others may take it");
  assert.ok(!lease.held && lease.lost.reason instanceof KubeError);
  await lease.release();
  assert.equal(store.spec?.holderIdentity, "n1", "what is lost is not given back");
});

Deno.test("it is lost when somebody else holds it", async () => {
  const store = new LeaseStore();
  await using peer = new ApiPeer(store.answer);
  const lease = await acquireLease(peer.client, { ...LEASE, identity: "n1" });
  store.put({ holderIdentity: "n2", leaseDurationSeconds: 60 });
  await new Promise((resolve) => lease.lost.addEventListener("abort", resolve));
  assert.match(String(lease.lost.reason), /somebody else/);
  await lease.release();
  assert.equal(store.spec?.holderIdentity, "n2");
});

Deno.test("a change by others between reading and writing does not lose it", async () => {
  using clock = new AwakeClock();
  const store = new LeaseStore();
  let races = 0;
  await using peer = new ApiPeer((request, raw) => {
    if (request.method === "PUT" && races-- > 0) store.version++;
    return store.answer(request, raw);
  });
  const lease = await acquireLease(peer.client, { ...LONG_LEASE, clock, identity: "n1" });
  races = 1;
  const before = store.version;
  // The race itself is one version, the renewal after it another.
  await until(() => store.version >= before + 2);
  assert.ok(lease.held);
  await lease.release();
});

Deno.test("waiting ends with the signal", async () => {
  const store = new LeaseStore();
  store.put({ holderIdentity: "n2", leaseDurationSeconds: 60 });
  await using peer = new ApiPeer(store.answer);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = acquireLease(peer.client, { ...LEASE, identity: "n1", signal });
  const enough = new Error("enough");
  setTimeout(() => controller.abort(enough), 50);
  await assert.rejects(waiting, enough);
});

Deno.test("a server that fails is asked again", async () => {
  const store = new LeaseStore();
  let failures = 2;
  await using peer = new ApiPeer((request, raw) =>
    failures-- > 0 ? status(503, "ServiceUnavailable") : store.answer(request, raw)
  );
  const lease = await acquireLease(peer.client, { ...LEASE, identity: "n1" });
  assert.equal(store.spec?.holderIdentity, "n1");
  await lease.release();
});

Deno.test("a moment has six digits", () => {
  assert.equal(microTime(new Date(0)), "1970-01-01T00:00:00.000000Z");
  assert.equal(microTime(new Date(1_700_000_000_123)), "2023-11-14T22:13:20.123000Z");
});
