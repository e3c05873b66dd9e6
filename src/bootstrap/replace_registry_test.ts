import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { loggerOf } from "../../test/fakes/testing.ts";
import { type Clock, systemClock, watchFailpoints } from "../std/mod.ts";
import { newState } from "../zarf/mod.ts";
import { BootstrapError } from "./errors.ts";
import {
  NEXT_POD,
  PLAN_ANNOTATION,
  planMark,
  registryDeployment,
  type RegistryPlan,
  registryService,
} from "./registry_objects.ts";
import { NEXT_TIMEOUT, REPLACE_FAILPOINTS, replaceRegistry } from "./replace_registry.ts";

const STATE = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
const plan = (tag: string, more: Partial<RegistryPlan> = {}): RegistryPlan => ({
  image: `127.0.0.1:31999/library/registry:${tag}`,
  storageDir: "/data/registry",
  state: STATE,
  ...more,
});

/** Real, but an hour is over at once. */
class HurriedClock implements Clock {
  #skipped = 0;
  now = () => new Date();
  monotonic = () => systemClock.monotonic() + this.#skipped;
  sleep = (ms: number, signal?: AbortSignal) => {
    this.#skipped += ms;
    return systemClock.sleep(1, signal);
  };
}

const READY = { conditions: [{ type: "Ready", status: "True" }] };

/** A cluster whose controllers and kubelets act at once, and what its Service leads to at each write. */
class Site implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly said: string[] = [];
  /** What becomes of a pod that is started with an image. */
  fate: (image: string) => unknown = () => READY;
  /** The nodes on which the Deployment's pods are put, one after the other. */
  nodes: string[] = [];
  /** Names of the pods that serve, whenever that changes. */
  readonly serving: string[] = [];
  #pods = 0;

  constructor() {
    this.api.put(namespace("zarf"));
    this.api.onChange = (object, type) => {
      if (object.kind === "Deployment" && type !== "DELETED") this.#roll(object);
      if (object.kind === "Pod" && type === "DELETED") this.#refill(object);
      if (object.kind === "Pod" && type === "ADDED" && object.status === undefined) {
        const { matchFields } = object.spec.affinity?.nodeAffinity
          ?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0] ?? {};
        const spec = { ...object.spec, nodeName: matchFields[0].values[0] };
        const status = this.fate(object.spec.containers[0].image);
        this.api.put({ ...object, spec, status } as AnyObject);
      }
      this.#look();
    };
    this.api.put({ ...registryService(), status: {} } as AnyObject);
  }

  deploy(deployed: RegistryPlan): void {
    this.api.put(registryDeployment(deployed));
  }

  replace(wanted: RegistryPlan) {
    return replaceRegistry(wanted, {
      kube: this.api.client,
      logger: loggerOf().logger,
      clock: new HurriedClock(),
      onProgress: (message) => void this.said.push(message),
    });
  }

  /** Image and node of each pod, and what the Service selects beside Zarf's labels. */
  get end() {
    const pods = this.api.all("pods").map(({ spec }) =>
      `${spec.containers[0].image} ${spec.nodeName}`
    );
    const { selector } = this.api.find("services", "zarf-docker-registry")?.spec ?? {};
    return { pods, guarded: Object.keys(selector).length > 2 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    watchFailpoints(undefined);
    await this.api[Symbol.asyncDispose]();
  }

  /** Recreate: the old pod goes, then the new one comes. */
  #roll(deployment: AnyObject): void {
    const mark = deployment.spec.template.metadata.annotations[PLAN_ANNOTATION];
    const own = this.#own();
    if (own.some(({ metadata }) => metadata.annotations?.[PLAN_ANNOTATION] === mark)) return;
    if (own.length === 0) this.#start(deployment);
    for (const pod of own) this.api.remove(pod);
  }

  #refill(gone: AnyObject): void {
    const deployment = this.api.find("deployments", "zarf-docker-registry");
    if (gone.metadata.name !== NEXT_POD && deployment !== undefined) this.#start(deployment);
  }

  #start({ spec: { template } }: AnyObject): void {
    const name = `zarf-docker-registry-${++this.#pods}`;
    const nodeName = this.nodes.shift() ?? "home";
    this.api.put({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...template.metadata, name, namespace: "zarf" },
      spec: { ...template.spec, nodeName },
      status: this.fate(template.spec.containers[0].image),
    } as AnyObject);
  }

  #own(): AnyObject[] {
    return this.api.all("pods").filter(({ metadata }) => metadata.name !== NEXT_POD);
  }

  #look(): void {
    const selector = this.api.find("services", "zarf-docker-registry")?.spec.selector;
    if (selector === undefined) return;
    const names = this.api.all("pods").filter(({ metadata, status }) =>
      status?.conditions !== undefined &&
      Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value)
    ).map(({ spec }) => `${spec.containers[0].image.slice(-1)}@${spec.nodeName}`);
    const text = names.sort().join(" ");
    if (this.serving.at(-1) !== text) this.serving.push(text);
  }
}

async function onSite(action: (site: Site) => Promise<void>): Promise<void> {
  await using site = new Site();
  site.deploy(plan("1"));
  site.serving.length = 0;
  site.api.writes.length = 0;
  await action(site);
}

Deno.test("there is a registry that serves at every moment of a replacement", () =>
  onSite(async (site) => {
    assert.equal(await site.replace(plan("2")), "Replaced");
    assert.deepEqual(site.end, { pods: [`${plan("2").image} home`], guarded: false });
    assert.deepEqual(site.serving.filter((names) => names === ""), []);
    assert.deepEqual(site.serving, ["1@home 2@home", "2@home", "2@home 2@home", "2@home"]);
    const deployment = site.api.find("deployments", "zarf-docker-registry");
    assert.deepEqual(
      deployment?.spec.template.spec.affinity.nodeAffinity
        .preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchFields,
      [{ key: "metadata.name", operator: "In", values: ["home"] }],
    );
  }));

Deno.test("what is as planned is not touched", () =>
  onSite(async (site) => {
    assert.equal(await site.replace(plan("1")), "Unchanged");
    await site.replace(plan("2"));
    site.api.writes.length = 0;
    assert.equal(await site.replace(plan("2")), "Unchanged");
    assert.deepEqual(site.api.writes, []);
  }));

Deno.test("a registry of somebody else's is left alone", () =>
  onSite(async (site) => {
    assert.equal(await site.replace(plan("2", { storageDir: "/elsewhere" })), "NotOurs");
    const own = site.api.find("deployments", "zarf-docker-registry");
    assert.ok(own);
    site.api.remove(own);
    assert.equal(await site.replace(plan("2")), "NotOurs");
    assert.deepEqual(site.api.writes, []);
  }));

const waiting = (reason: string) => ({ state: { waiting: { reason, message: "back-off" } } });

const FATES: readonly [what: string, status: unknown, why: RegExp][] = [
  [
    "ends at once",
    {
      containerStatuses: [{
        ...waiting("CrashLoopBackOff"),
        restartCount: 2,
        lastState: { terminated: { reason: "Error", exitCode: 3, message: "no config\n" } },
      }],
    },
    /it ends with Error, exit code 3: no config/,
  ],
  [
    "is no program",
    {
      containerStatuses: [{
        ...waiting("RunContainerError"),
        restartCount: 2,
        lastState: { terminated: { reason: "StartError", exitCode: 128 } },
      }],
    },
    /it ends with StartError, exit code 128/,
  ],
  ["has failed", { phase: "Failed" }, /its pod is Failed/],
  [
    "cannot be pulled",
    { containerStatuses: [waiting("ImagePullBackOff")] },
    /not Ready after 90 s: ImagePullBackOff: back-off/,
  ],
  ["never answers", { phase: "Running" }, /not Ready after 90 s: its pod is Running/],
];

for (const [what, status, why] of FATES) {
  Deno.test(`a registry that ${what} replaces nothing, and is taken away`, () =>
    onSite(async (site) => {
      site.fate = (image) => image.endsWith(":2") ? status : READY;
      const error = await site.replace(plan("2")).then(() => undefined, (error) => error);
      assert.ok(error instanceof BootstrapError);
      assert.equal(error.reason, "RegistryReplacementFailed");
      assert.equal(error.disposition, "terminal");
      assert.match(error.message, why);
      assert.deepEqual(site.end, { pods: [`${plan("1").image} home`], guarded: false });
      assert.deepEqual(site.serving.filter((names) => names !== "1@home"), []);
      assert.deepEqual(site.api.writes, [`PATCH pods/${NEXT_POD}`, `DELETE pods/${NEXT_POD}`]);
    }));
}

Deno.test("a pod that is put where its storage is not never serves", () =>
  onSite(async (site) => {
    site.nodes = ["away", "away", "home"];
    assert.equal(await site.replace(plan("2")), "Replaced");
    assert.deepEqual(site.end.pods, [`${plan("2").image} home`]);
    assert.deepEqual(site.serving.filter((names) => /away|^$/.test(names)), []);
  }));

for (const name of REPLACE_FAILPOINTS) {
  for (const then of ["the same", "another"]) {
    Deno.test(`stopped at ${name}, ${then} replacement comes to its end without a gap`, () =>
      onSite(async (site) => {
        watchFailpoints((passed) => {
          if (passed === name) throw new Error("stopped");
        });
        await assert.rejects(site.replace(plan("2")), /stopped/);
        watchFailpoints(undefined);
        const tag = then === "the same" ? "2" : "3";
        await site.replace(plan(tag));
        assert.deepEqual(site.end, { pods: [`${plan(tag).image} home`], guarded: false });
        assert.deepEqual(site.serving.filter((names) => names === ""), []);
        assert.equal(await site.replace(plan(tag)), "Unchanged");
      }));
  }
}

for (const name of REPLACE_FAILPOINTS) {
  Deno.test(`what one that was stopped at ${name} has left is no trial of another one`, () =>
    onSite(async (site) => {
      watchFailpoints((passed) => {
        if (passed === name) throw new Error("stopped");
      });
      await assert.rejects(site.replace(plan("2")), /stopped/);
      watchFailpoints(undefined);
      site.fate = (image) => image.endsWith(":3") ? { phase: "Failed" } : READY;
      await assert.rejects(site.replace(plan("3")), { reason: "RegistryReplacementFailed" });
      const before = REPLACE_FAILPOINTS.indexOf(name) < REPLACE_FAILPOINTS.indexOf(REPLACED);
      const left = plan(before ? "1" : "2").image;
      assert.deepEqual(site.end, { pods: [`${left} home`], guarded: false });
      assert.deepEqual(site.serving.filter((names) => names === ""), []);
    }));
}

/** From here on the Deployment is the new one. */
const REPLACED = "bootstrap.registry.replaced";

Deno.test("where no registry runs there is nothing to replace, and it is tried again", () =>
  onSite(async (site) => {
    site.fate = () => ({ phase: "Pending" });
    for (const pod of site.api.all("pods")) site.api.remove(pod);
    const error = await site.replace(plan("2")).then(() => undefined, (error) => error);
    assert.equal(error?.reason, "RegistryNotReady");
    assert.equal(error?.disposition, "retry");
    assert.deepEqual(site.api.writes, []);
  }));

Deno.test("a registry that was begun but does not come back is waited for while the other serves", () =>
  onSite(async (site) => {
    let started = 0;
    // The one beside the old one is fine, the Deployment's is not, for whatever reason.
    site.fate = (image) => image.endsWith(":2") && ++started > 1 ? { phase: "Pending" } : READY;
    const error = await site.replace(plan("2")).then(() => undefined, (error) => error);
    assert.equal(error?.reason, "RegistryNotReady");
    assert.deepEqual(site.serving.at(-1), "2@home");
    site.fate = () => READY;
    for (const pod of site.api.all("pods")) {
      if (pod.status.conditions === undefined) site.api.remove(pod);
    }
    assert.equal(await site.replace(plan("2")), "Replaced");
    assert.deepEqual(site.end, { pods: [`${plan("2").image} home`], guarded: false });
  }));

Deno.test("a plan is known by everything but the node", () => {
  const mark = planMark(plan("1"));
  assert.equal(planMark(plan("1", { home: "a" })), mark);
  const others: Partial<RegistryPlan>[] = [
    { image: "127.0.0.1:31999/library/registry:2" },
    { storageDir: "/other" },
    { state: newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" }) },
    { wishes: { limits: { memory: "1Gi" } } },
    { wishes: { env: [{ name: "A", value: "b" }] } },
  ];
  for (const other of others) assert.notEqual(planMark(plan("1", other)), mark);
  assert.ok(NEXT_TIMEOUT >= 60_000, "an image may have to be pulled");
});
