import assert from "node:assert/strict";
import { newPackage } from "../../test/fakes/records.ts";
import { DatabaseSync } from "node:sqlite";
import { digestOf, HoldfastError, silentLogger } from "../std/mod.ts";
import { type PackageRecord, Store } from "../store/mod.ts";
import { MAX_ATTEMPTS, type PackageActions, Reconciler } from "./reconciler.ts";

class Refused extends HoldfastError {
  constructor(disposition: "terminal" | "retry", reason = "Refused") {
    super({ reason, message: "the chart is refused", disposition });
  }
}

interface Bench {
  readonly store: Store;
  readonly reconciler: Reconciler;
  readonly deployed: string[];
  state(name: string, version: string): PackageRecord | undefined;
}

async function withBench(
  actions: Partial<PackageActions>,
  action: (bench: Bench) => Promise<void>,
) {
  const directory = await Deno.makeTempDir();
  const store = Store.open(directory);
  const deployed: string[] = [];
  const reconciler = new Reconciler({
    store,
    logger: silentLogger,
    onChange: () => {},
    actions: {
      lead: (work, signal) => work(signal),
      deploy: (record) => {
        deployed.push(`${record.name}-${record.version}`);
        return Promise.resolve();
      },
      elsewhere: () => Promise.resolve(undefined),
      damaged: () => Promise.resolve(false),
      repair: () => Promise.reject(new Error("nothing was damaged")),
      ...actions,
    },
  });
  const state = (name: string, version: string) =>
    store.records.getPackage(digestOf(`${name}-${version}`));
  try {
    await action({ store, reconciler, deployed, state });
  } finally {
    store.close();
    await Deno.remove(directory, { recursive: true });
  }
}

const never = new AbortController().signal;

Deno.test("accepted packages become ready, in order, once", () =>
  withBench({}, async ({ store, reconciler, deployed, state }) => {
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    store.records.putPackage(newPackage({ name: "b", version: "1" }));
    await reconciler.reconcile(never);
    await reconciler.reconcile(never);
    assert.deepEqual(deployed, ["a-1", "b-1"]);
    assert.equal(state("a", "1")?.state, "ready");
    assert.equal(state("b", "1")?.state, "ready");
  }));

Deno.test("without anything to do the cluster is not asked for", () =>
  withBench({
    lead: () => Promise.reject(new Error("asked")),
  }, async ({ reconciler }) => {
    await reconciler.reconcile(never);
  }));

Deno.test("what the cluster lost of a ready package is brought back, and of no other", () => {
  const repaired: string[] = [];
  let leading = 0;
  return withBench({
    lead: (work, signal) => {
      leading++;
      return work(signal);
    },
    deploy: (record) =>
      record.name === "bad" ? Promise.reject(new Refused("terminal")) : Promise.resolve(),
    damaged: (record) => Promise.resolve(!repaired.includes(record.name)),
    repair: (record) => {
      repaired.push(record.name);
      return Promise.resolve();
    },
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "good", version: "1" }));
    store.records.putPackage(newPackage({ name: "bad", version: "1" }));
    await reconciler.reconcile(never);
    assert.deepEqual(repaired, []);
    await reconciler.reconcile(never);
    assert.deepEqual(repaired, ["good"]);
    assert.equal(state("good", "1")?.state, "ready");
    await reconciler.reconcile(never);
    assert.equal(leading, 2, "with nothing damaged nobody leads");
  });
});

Deno.test("what somebody removed is recorded, is not brought back and is not repaired", () => {
  const asked: string[] = [];
  return withBench({
    elsewhere: ({ name, components }) => {
      asked.push(name);
      return Promise.resolve({
        state: "superseded",
        reason: "Removed",
        message: "gone",
        components,
      });
    },
    damaged: () => Promise.resolve(true),
  }, async ({ store, reconciler, deployed, state }) => {
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    await reconciler.reconcile(never);
    assert.deepEqual([deployed, asked], [["a-1"], []], "only what was Ready is looked for");
    await reconciler.reconcile(never);
    await reconciler.reconcile(never);
    const { state: is, reason, message } = state("a", "1") ?? assert.fail();
    assert.deepEqual([is, reason, message], ["superseded", "Removed", "gone"]);
    assert.deepEqual([deployed, asked], [["a-1"], ["a"]]);
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    await reconciler.reconcile(never);
    assert.deepEqual(deployed, ["a-1", "a-1"], "dropped again it is deployed again");
  });
});

Deno.test("what cannot be seen, or is as it was, changes nothing", () => {
  const answers = [undefined, "as it was"];
  return withBench({
    elsewhere: (record) =>
      Promise.resolve(
        answers.shift() === undefined ? undefined : { ...record, state: "ready" },
      ),
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    await reconciler.reconcile(never);
    const before = state("a", "1");
    await reconciler.reconcile(never);
    await reconciler.reconcile(never);
    assert.deepEqual(answers, []);
    assert.deepEqual(state("a", "1"), before);
  });
});

Deno.test("a newer version takes the older one's place when it is ready", () =>
  withBench({}, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    await reconciler.reconcile(never);
    store.records.putPackage(newPackage({ name: "a", version: "2" }));
    await reconciler.reconcile(never);
    assert.equal(state("a", "1")?.state, "superseded");
    assert.equal(state("a", "2")?.state, "ready");
  }));

Deno.test("a terminal failure is recorded, is not repeated, and the next package goes on", () => {
  let attempts = 0;
  return withBench({
    deploy: (record) => {
      if (record.name !== "bad") return Promise.resolve();
      attempts++;
      return Promise.reject(new Refused("terminal"));
    },
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "bad", version: "1" }));
    store.records.putPackage(newPackage({ name: "good", version: "1" }));
    await reconciler.reconcile(never);
    await reconciler.reconcile(never);
    assert.equal(attempts, 1);
    assert.equal(state("bad", "1")?.state, "failed");
    assert.equal(state("bad", "1")?.reason, "Refused");
    assert.match(state("bad", "1")?.message ?? "", /the chart is refused/);
    assert.equal(state("good", "1")?.state, "ready");
  });
});

Deno.test("what was rolled back is not tried again, and what was ready before stays so", () =>
  withBench({
    deploy: (record) =>
      record.version === "2"
        ? Promise.reject(new Refused("terminal", "RolledBack"))
        : Promise.resolve(),
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    await reconciler.reconcile(never);
    store.records.putPackage(newPackage({ name: "a", version: "2" }));
    await reconciler.reconcile(never);
    assert.equal(state("a", "2")?.state, "rolled-back");
    assert.equal(state("a", "1")?.state, "ready");
  }));

for (const reason of ["NotReady", "TimedOut", "ObjectRefused", "HookFailed"]) {
  Deno.test(`a package that is ${reason} again and again fails after ${MAX_ATTEMPTS} attempts`, () => {
    let attempts = 0;
    return withBench({
      deploy: () => {
        attempts++;
        return Promise.reject(new Refused("retry", reason));
      },
    }, async ({ store, reconciler, state }) => {
      store.records.putPackage(newPackage({ name: "a", version: "1" }));
      for (let round = 1; round < MAX_ATTEMPTS; round++) {
        await assert.rejects(reconciler.reconcile(never));
        assert.equal(state("a", "1")?.state, "deploying");
      }
      await reconciler.reconcile(never);
      assert.equal(state("a", "1")?.state, "failed");
      assert.equal(state("a", "1")?.reason, reason);
      await reconciler.reconcile(never);
      assert.equal(attempts, MAX_ATTEMPTS);
      // The same file dropped again is a wish to try again.
      store.records.putPackage(newPackage({ name: "a", version: "1" }));
      assert.equal(state("a", "1")?.state, "accepted");
      await assert.rejects(reconciler.reconcile(never));
      assert.equal(attempts, MAX_ATTEMPTS + 1);
    });
  });
}

Deno.test("a newer package ends the deployment of the one whose place it takes, and of no other", () => {
  const ended: string[] = [];
  let begun = Promise.withResolvers<string>();
  return withBench({
    deploy: ({ name, version }, _, newer) => {
      if (version === "2") return Promise.resolve();
      begun.resolve(name);
      return new Promise((_, reject) => {
        newer.addEventListener("abort", () => {
          ended.push(`${name}-${version}`);
          reject(new Refused("terminal", "Cancelled"));
        });
      });
    },
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    const running = reconciler.reconcile(never);
    assert.equal(await begun.promise, "a");
    begun = Promise.withResolvers();
    store.records.putPackage(newPackage({ name: "b", version: "1" }));
    reconciler.wake();
    assert.deepEqual(ended, [], "another package waits for its turn");
    assert.equal(state("b", "1")?.state, "accepted");
    store.records.putPackage(newPackage({ name: "a", version: "2" }));
    reconciler.wake();
    reconciler.wake();
    assert.equal(await begun.promise, "b");
    assert.deepEqual(ended, ["a-1"]);
    assert.equal(state("a", "1")?.state, "superseded");
    store.records.putPackage(newPackage({ name: "b", version: "2" }));
    reconciler.wake();
    await running;
    assert.deepEqual(ended, ["a-1", "b-1"]);
    for (const name of ["a", "b"]) {
      assert.equal(state(name, "1")?.state, "superseded");
      assert.equal(state(name, "2")?.state, "ready");
    }
  });
});

Deno.test("what the cluster is to blame for is tried again without end, and others go on meanwhile", () => {
  let attempts = 0;
  return withBench({
    deploy: (record) => {
      if (record.name !== "late") return Promise.resolve();
      attempts++;
      return Promise.reject(new Refused("retry", "WebhookDown"));
    },
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "late", version: "1" }));
    for (let round = 0; round < MAX_ATTEMPTS + 2; round++) {
      store.records.putPackage(newPackage({ name: `good${round}`, version: "1" }));
      await assert.rejects(reconciler.reconcile(never));
      assert.equal(state(`good${round}`, "1")?.state, "ready");
    }
    assert.equal(attempts, MAX_ATTEMPTS + 2);
    assert.equal(state("late", "1")?.reason, "WebhookDown");
  });
});

Deno.test("a failure that may pass is tried again and does not hold up the others", () => {
  let attempts = 0;
  return withBench({
    deploy: (record) =>
      record.name === "late" && ++attempts === 1
        ? Promise.reject(new Refused("retry"))
        : Promise.resolve(),
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "late", version: "1" }));
    store.records.putPackage(newPackage({ name: "good", version: "1" }));
    await assert.rejects(reconciler.reconcile(never));
    assert.equal(state("late", "1")?.state, "deploying");
    assert.match(state("late", "1")?.message ?? "", /tried again/);
    assert.equal(state("good", "1")?.state, "ready");
    await reconciler.reconcile(never);
    assert.equal(state("late", "1")?.state, "ready");
  });
});

Deno.test("while there is no cluster every waiting package says why, and then is deployed", () => {
  let reachable = false;
  return withBench({
    lead: (work, signal) =>
      reachable ? work(signal) : Promise.reject(new Error("connection refused")),
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    const abort = new AbortController();
    const running = reconciler.run(abort.signal);
    await until(() => state("a", "1")?.message !== "");
    assert.match(state("a", "1")?.message ?? "", /waiting for the cluster: connection refused/);
    assert.equal(state("a", "1")?.state, "accepted");
    reachable = true;
    reconciler.wake();
    await until(() => state("a", "1")?.state === "ready");
    abort.abort();
    await running;
  });
});

Deno.test("a package with images says that they are served before there is a cluster", () =>
  withBench({
    lead: () => Promise.reject(new Error("there is none")),
  }, async ({ store, reconciler, state }) => {
    const image = {
      ...{ reference: "registry.k8s.io/etcd:v3.6.9", host: "registry.k8s.io" },
      ...{ repository: "etcd", tag: "v3.6.9", zarfTag: "v3.6.9-zarf-1" },
      descriptor: { mediaType: "m", digest: digestOf("manifest"), size: 8 },
    };
    store.records.putPackage(newPackage({ name: "talos", version: "1", images: [image] }));
    store.records.putPackage(newPackage({ name: "plain", version: "1" }));
    const abort = new AbortController();
    const running = reconciler.run(abort.signal);
    await until(() => state("plain", "1")?.message !== "");
    assert.equal(
      state("talos", "1")?.message,
      "waiting for the cluster, its images are served on this node: there is none",
    );
    assert.equal(state("talos", "1")?.state, "accepted");
    assert.equal(state("plain", "1")?.message, "waiting for the cluster: there is none");
    abort.abort();
    await running;
  }));

Deno.test("when nothing can be recorded it goes on all the same", () => {
  let attempts = 0;
  return withBench({
    lead: (work, signal) =>
      ++attempts < 3 ? Promise.reject(new Error("connection refused")) : work(signal),
  }, async ({ store, reconciler, state }) => {
    store.records.putPackage(newPackage({ name: "a", version: "1" }));
    using other = new DatabaseSync(`${store.dir}/holdfast.db`);
    other.exec(
      "CREATE TRIGGER refuse BEFORE UPDATE ON packages BEGIN SELECT RAISE(FAIL, 'no'); END",
    );
    const abort = new AbortController();
    const running = reconciler.run(abort.signal);
    await until(() => attempts === 1);
    assert.equal(state("a", "1")?.message, "");
    other.exec("DROP TRIGGER refuse");
    for (let tries = 0; tries < 2; tries++) {
      const before = attempts;
      reconciler.wake();
      await until(() => attempts > before);
    }
    await until(() => state("a", "1")?.state === "ready");
    abort.abort();
    await running;
  });
});

async function until(condition: () => boolean) {
  for (let i = 0; i < 500 && !condition(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert(condition(), "it did not happen within five seconds");
}
