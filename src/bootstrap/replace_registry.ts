import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { type Clock, failpoint, type Logger, systemClock } from "../std/mod.ts";
import { REGISTRY_SERVICE, ZARF_NAMESPACE } from "../zarf/mod.ts";
import { BootstrapError } from "./errors.ts";
import {
  deployedRegistry,
  type DeploymentObject,
  isServing,
  type PodObject,
  podTrouble,
  registryPods,
} from "./registry.ts";
import {
  NEXT_LABELS,
  NEXT_POD,
  nextRegistryPod,
  PLAN_ANNOTATION,
  planMark,
  registryDeployment,
  type RegistryPlan,
  registryService,
} from "./registry_objects.ts";

/** How long a registry that is started beside the other one may take to be Ready, in milliseconds. */
export const NEXT_TIMEOUT = 90_000;
/** How often it may end before it is given up. */
const MAX_RESTARTS = 2;
/** How long the registry's own pod may take to be Ready, in milliseconds. */
const OWN_TIMEOUT = 180_000;
/** Milliseconds between two looks. */
const LOOK_INTERVAL = 500;
/** How long nodes may take to send connections where the Service says, in milliseconds. */
const ROUTE_PAUSE = 3_000;

/** The places in which a test may end the process while the registry is replaced, in order. */
export const REPLACE_FAILPOINTS = [
  "bootstrap.next.created",
  "bootstrap.next.ready",
  "bootstrap.next.serves",
  "bootstrap.registry.replaced",
  "bootstrap.registry.serves",
  "bootstrap.next.removed",
] as const;

/** What {@linkcode replaceRegistry} works with. */
export interface ReplaceOptions {
  readonly kube: KubeClient;
  readonly logger: Logger;
  readonly onProgress?: (message: string) => void;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/** What became of the registry: it is as planned, was so before, or is somebody else's. */
export type Replaced = "Replaced" | "Unchanged" | "NotOurs";

/**
 * Makes the registry be as planned while it goes on answering. A pod with the new registry is started
 * beside the old one, on the same node and the same storage; when it is Ready the Service is sent to
 * it alone, the Deployment is changed, and when the Deployment's own pod is Ready the Service is sent
 * back and the pod goes away. A registry that does not become Ready is taken away again before
 * anything else was changed. Called again after a kill at any point it comes to the same end.
 *
 * The registry must answer when it is called. One that is not Holdfast's own (Zarf's has its storage
 * elsewhere) is left alone.
 *
 * @throws {BootstrapError} `RegistryReplacementFailed` when the new one does not start: the old one
 * serves as before; `RegistryNotReady` when it does not take over in time: the next call goes on.
 */
export async function replaceRegistry(
  plan: RegistryPlan,
  options: ReplaceOptions,
): Promise<Replaced> {
  const deployment = await deployedRegistry(options.kube);
  if (!isOurs(deployment, plan)) return "NotOurs";
  return await new Replacement(plan, options).run();
}

function isOurs(deployment: DeploymentObject | undefined, { storageDir }: RegistryPlan): boolean {
  const volumes = deployment?.spec?.template?.spec?.volumes ?? [];
  return volumes.some(({ hostPath }) => hostPath?.path === storageDir);
}

interface ServiceObject extends KubeObject {
  spec?: { selector?: Record<string, string> };
}

class Replacement {
  readonly #plan: RegistryPlan;
  readonly #mark: string;
  readonly #options: ReplaceOptions;
  readonly #clock: Clock;

  constructor(plan: RegistryPlan, options: ReplaceOptions) {
    this.#plan = plan;
    this.#mark = planMark(plan);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async run(): Promise<Replaced> {
    const { kube, logger } = this.#options;
    const left = await this.#next();
    // Of another plan, which was given up: what serves now must go on until the Deployment's does.
    if (left !== undefined && markOf(left) !== this.#mark) await this.#finish();
    const isDeployed = markOf(await deployedRegistry(kube)) === this.#mark;
    if (!isDeployed) await this.#takeOver();
    const finished = await this.#finish();
    if (isDeployed && !finished) return "Unchanged";
    logger.info("the registry was replaced", { image: this.#plan.image });
    return "Replaced";
  }

  /** Starts the new registry, lets it serve, and changes the Deployment. */
  async #takeOver(): Promise<void> {
    const { kube } = this.#options;
    const home = await this.#startNext();
    failpoint("bootstrap.next.ready");
    this.#say("the new registry takes over");
    await this.#route(NEXT_LABELS);
    failpoint("bootstrap.next.serves");
    await kube.apply(registryDeployment({ ...this.#plan, home }), { force: true });
    failpoint("bootstrap.registry.replaced");
  }

  /** Gives the node on which it is Ready. */
  async #startNext(): Promise<string> {
    const { kube } = this.#options;
    const deadline = this.#clock.monotonic() + NEXT_TIMEOUT;
    await this.#nextIsGone(deadline);
    if (await this.#next() === undefined) {
      const home = (await registryPods(kube)).find(isServing)?.spec?.nodeName;
      if (home === undefined) throw notReady("no pod of the registry that runs is Ready");
      await kube.apply(nextRegistryPod(this.#plan, home), { force: true });
    }
    failpoint("bootstrap.next.created");
    for (;;) {
      const next = await this.#next();
      if (next !== undefined && isServing(next)) return next.spec?.nodeName ?? "";
      const isLate = this.#clock.monotonic() > deadline;
      const why = next === undefined ? "its pod is gone" : whyGivenUp(next, isLate);
      if (why !== undefined) {
        await kube.delete(NEXT_REF);
        throw this.#failed(why);
      }
      this.#say(`the new registry is started beside the old one: ${podTrouble(next)}`);
      await this.#pause();
    }
  }

  /**
   * Waits until the Deployment's own pod serves where the storage is, sends the Service to it and takes
   * the other pod away. Says whether there was anything to do.
   */
  async #finish(): Promise<boolean> {
    const { kube } = this.#options;
    const service = await kube.get<ServiceObject>(SERVICE_REF);
    const [label = ""] = Object.keys(NEXT_LABELS);
    const isRouted = service?.spec?.selector?.[label] !== undefined;
    if (isRouted) {
      await this.#ownServes((await this.#next())?.spec?.nodeName);
      await this.#route({});
      failpoint("bootstrap.registry.serves");
    }
    const next = await this.#next();
    if (next !== undefined) {
      await kube.delete(NEXT_REF);
      failpoint("bootstrap.next.removed");
    }
    return isRouted || next !== undefined;
  }

  /** On another node it would have nothing of what was pushed: it is put anew until it is right. */
  async #ownServes(home: string | undefined): Promise<void> {
    const { kube, logger } = this.#options;
    const deadline = this.#clock.monotonic() + OWN_TIMEOUT;
    for (;;) {
      const mark = markOf(await deployedRegistry(kube));
      const own = (await registryPods(kube)).filter((pod) =>
        pod.metadata.name !== NEXT_POD && pod.metadata.deletionTimestamp === undefined
      );
      const astray = own.find(({ spec }) =>
        home !== undefined && spec?.nodeName !== undefined && spec.nodeName !== home
      );
      if (astray !== undefined) {
        const { name = "", namespace = ZARF_NAMESPACE } = astray.metadata;
        logger.warn("the registry was put on a node without its storage; it is put anew", { name });
        await kube.delete({ apiVersion: "v1", kind: "Pod", namespace, name });
      } else if (own.length === 1 && own.every((pod) => isServing(pod) && markOf(pod) === mark)) {
        return;
      }
      const trouble = podTrouble(own[0]);
      if (this.#clock.monotonic() > deadline) throw notReady(trouble);
      this.#say(`the registry is replaced: ${trouble}`);
      await this.#pause();
    }
  }

  async #route(labels: Readonly<Record<string, string>>): Promise<void> {
    await this.#options.kube.apply(registryService(labels), { force: true });
    await this.#clock.sleep(ROUTE_PAUSE, this.#options.signal);
    this.#options.signal?.throwIfAborted();
  }

  /** The pod beside the registry's own; one that is going away already is none. */
  async #next(): Promise<PodObject | undefined> {
    const pod = await this.#options.kube.get<PodObject>(NEXT_REF);
    return pod?.metadata.deletionTimestamp === undefined ? pod : undefined;
  }

  /** What is going away has the name until it is gone. */
  async #nextIsGone(deadline: number): Promise<void> {
    const { kube } = this.#options;
    while ((await kube.get(NEXT_REF))?.metadata.deletionTimestamp !== undefined) {
      if (this.#clock.monotonic() > deadline) throw notReady(`pod ${NEXT_POD} does not go away`);
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    await this.#clock.sleep(LOOK_INTERVAL, this.#options.signal);
    this.#options.signal?.throwIfAborted();
  }

  #say(message: string): void {
    this.#options.onProgress?.(message);
  }

  #failed(why: string): BootstrapError {
    return new BootstrapError({
      reason: "RegistryReplacementFailed",
      message: `the registry ${this.#plan.image} does not start: ${why}`,
      kept: "the registry from before serves as it did",
      remedy: "drop a package with a registry that works",
    });
  }
}

const NEXT_REF = {
  apiVersion: "v1",
  kind: "Pod",
  namespace: ZARF_NAMESPACE,
  name: NEXT_POD,
} as const;
const SERVICE_REF = {
  apiVersion: "v1",
  kind: "Service",
  namespace: ZARF_NAMESPACE,
  name: REGISTRY_SERVICE,
} as const;

function markOf(object: KubeObject | undefined): string | undefined {
  return object?.metadata.annotations?.[PLAN_ANNOTATION];
}

/** Why a pod will not do; undefined while it may still become Ready. */
function whyGivenUp(pod: PodObject, isLate: boolean): string | undefined {
  const status = pod.status?.containerStatuses?.[0];
  const ended = status?.lastState?.terminated;
  if ((status?.restartCount ?? 0) >= MAX_RESTARTS && ended !== undefined) {
    const { reason = "Error", exitCode, message = "" } = ended;
    const text = `it ends with ${reason}, exit code ${exitCode ?? "unknown"}`;
    return message === "" ? text : `${text}: ${message.trim()}`;
  }
  if (pod.status?.phase === "Failed") return podTrouble(pod);
  return isLate ? `it is not Ready after ${NEXT_TIMEOUT / 1000} s: ${podTrouble(pod)}` : undefined;
}

function notReady(trouble: string): BootstrapError {
  return new BootstrapError({
    reason: "RegistryNotReady",
    message: `the registry cannot be replaced yet: ${trouble}`,
    kept: "a registry serves meanwhile",
    disposition: "retry",
  });
}
