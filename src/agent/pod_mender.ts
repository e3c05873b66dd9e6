import {
  isSelected,
  type Mending,
  mendPod,
  MUTATED_KINDS,
  type MutationPolicy,
  type Site,
  UNMENDED_SELECTOR,
} from "../admission/mod.ts";
import { type KubeClient, type KubeObject, recordEvent, type Snapshot } from "../kube/mod.ts";
import { backoffDelay, type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import { NamespaceLabels } from "./namespace_labels.ts";
import { Occasion } from "./signals.ts";
import { Turns } from "./turns.ts";

/**
 * The longest wait from when a pod is seen until it is mended, in milliseconds. No longer than the
 * kubelet needs to make a sandbox: once it pulls from outside, on a site without a way there it tries
 * for half a minute before it looks at the pod again.
 */
const LONGEST_TURN = 300;
/** Milliseconds until an attempt that failed is made again, at first. */
const RETRY = 500;
/** Pods that are looked at in one pass. */
const MAX_PODS = 100;
/** Milliseconds until a pod that needs nothing now, or cannot be helped, is looked at again. */
const LATER = 60_000;
/** Milliseconds between two looks while there is nothing for this agent to mend. */
const IDLE = 5_000;
/** The shortest and the longest pause between two deletions for one controller, in milliseconds. */
const MIN_DELETION_PAUSE = 30_000;
const MAX_DELETION_PAUSE = 600_000;
/** Controllers that are remembered for that. */
const MAX_CONTROLLERS = 1_000;

const [POD] = MUTATED_KINDS.filter(({ kind }) => kind === "Pod");

/** What {@linkcode PodMender} works with. */
export interface PodMenderOptions {
  readonly kube: KubeClient;
  /** The rules' view of the cluster now. */
  readonly site: () => Site;
  /** Whose pods are Holdfast's to rewrite now; `undefined` while none are. */
  readonly policy: () => MutationPolicy | undefined;
  /** Whether a pod that is made now comes through the webhook. */
  readonly isProven: () => boolean;
  readonly nodeName: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** A number in [0, 1); a test passes its own. @default Math.random */
  readonly random?: () => number;
}

/** When another pod of a controller may be deleted, and how many were. */
interface Deletions {
  readonly at: number;
  readonly count: number;
}

/** What became of one pod. */
type Outcome = "left" | "mended" | "deleted" | "waits";

/**
 * Mends pods that were stored while no agent answered: their images come from the registry as if the
 * webhook had been asked. Only pods that have not begun to run are touched, and only those that the
 * webhooks' selectors choose. Image volumes cannot be changed: such a pod is deleted when a controller
 * makes it again and the webhook is proven; of any other an Event says so.
 */
export class PodMender {
  readonly #options: PodMenderOptions;
  readonly #clock: Clock;
  readonly #event = new Occasion();
  readonly #turns: Turns;
  readonly #deletions = new Map<string, Deletions>();
  #pods: Snapshot = new Map();
  #mended = 0;

  constructor(options: PodMenderOptions) {
    this.#options = options;
    const { clock = systemClock, random = Math.random } = options;
    this.#clock = clock;
    this.#turns = new Turns({ longest: LONGEST_TURN, clock, random });
  }

  /** Pods that were mended since the start. */
  get mended(): number {
    return this.#mended;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#event.happen();
    signal.addEventListener("abort", onAbort, { once: true });
    await Promise.all([this.#follow(signal), this.#keep(signal)]);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const ref = { apiVersion: "v1", kind: "Pod" };
    const pods = this.#options.kube.reflect(ref, {
      fieldSelector: "status.phase=Pending",
      labelSelector: UNMENDED_SELECTOR,
      signal,
    });
    for await (const snapshot of pods) {
      this.#pods = snapshot;
      this.#event.happen();
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { next } = this.#event;
      const pods = new Map([...this.#pods.values()].map((pod) => [uidOf(pod), pod]));
      this.#turns.arrange(new Set(pods.keys()));
      const mayMend = this.#options.policy() !== undefined;
      if (mayMend) await this.#pass(pods, signal);
      const pause = pods.size === 0 || mayMend ? this.#turns.wait : IDLE;
      await this.#clock.sleep(Math.min(pause, LATER), next);
    }
  }

  async #pass(pods: ReadonlyMap<string, KubeObject>, signal: AbortSignal): Promise<void> {
    const labels = new NamespaceLabels(this.#options.kube, signal);
    for (const uid of this.#turns.due.slice(0, MAX_PODS)) {
      const pod = pods.get(uid);
      if (signal.aborted) return;
      if (pod !== undefined) await this.#take(uid, pod, labels, signal);
    }
  }

  async #take(
    uid: string,
    pod: KubeObject,
    labels: NamespaceLabels,
    signal: AbortSignal,
  ): Promise<void> {
    const { logger } = this.#options;
    const { namespace, name } = pod.metadata;
    try {
      const outcome = await this.#mend(pod, labels, signal);
      this.#turns.again(uid, outcome === "waits" ? IDLE : LATER);
      if (outcome !== "mended" && outcome !== "deleted") return;
      this.#mended++;
      logger.info(`a pod that was not seen when it was made is ${outcome}`, { namespace, name });
    } catch (error) {
      if (signal.aborted) return;
      // Mostly another agent was first, or the kubelet wrote its status.
      this.#turns.failed(uid, error, { initial: RETRY, max: LATER });
      logger.debug("a pod cannot be mended now", { namespace, name, error: describeError(error) });
    }
  }

  async #mend(pod: KubeObject, labels: NamespaceLabels, signal: AbortSignal): Promise<Outcome> {
    const { policy, site, isProven } = this.#options;
    const { namespace = "" } = pod.metadata;
    const of = policy();
    const namespaceLabels = await labels.of(namespace);
    if (POD === undefined || of === undefined || namespaceLabels === null) return "left";
    const object = {
      labels: pod.metadata.labels,
      namespace: { name: namespace, labels: namespaceLabels },
    };
    const mending = isSelected(POD, object, of) ? mendPod(pod, site()) : undefined;
    if (mending === undefined) return "left";
    const { controller, volumes } = mending;
    if (volumes.length > 0 && controller !== undefined) {
      if (!isProven() || !this.#mayDelete(controller)) return "waits";
      await this.#delete(pod, signal);
      return "deleted";
    }
    await this.#patch(pod, mending, signal);
    return "mended";
  }

  async #patch(pod: KubeObject, { patch, volumes }: Mending, signal: AbortSignal): Promise<void> {
    const { kube, nodeName } = this.#options;
    const { resourceVersion, uid } = pod.metadata;
    // Whoever comes second gets a conflict.
    const version = { op: "add", path: "/metadata/resourceVersion", value: resourceVersion };
    const ref = refOf(pod);
    await kube.patch(ref, { type: "json", body: [...patch, version] }, { signal });
    if (volumes.length === 0) return;
    await recordEvent(kube, {
      regarding: { ...ref, ...(uid === undefined ? {} : { uid }) },
      reason: "ImageVolumeNotRewritten",
      note: `no agent was asked when the pod was made: ${
        volumes.join(", ")
      } would come from the registry now, but a volume cannot be changed; make the pod again`,
      type: "Warning",
      instance: nodeName,
    }, { signal });
  }

  async #delete(pod: KubeObject, signal: AbortSignal): Promise<void> {
    const { uid, resourceVersion } = pod.metadata;
    const preconditions = {
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    await this.#options.kube.delete(refOf(pod), { preconditions, signal });
  }

  /** Its pods may come through an API server where no agent answers, again and again. */
  #mayDelete(controller: string): boolean {
    const now = this.#clock.monotonic();
    const { at, count } = this.#deletions.get(controller) ?? { at: 0, count: 0 };
    if (at > now) return false;
    const pause = backoffDelay(count, {
      initial: MIN_DELETION_PAUSE,
      max: MAX_DELETION_PAUSE,
      random: () => 1,
    });
    this.#deletions.delete(controller);
    this.#deletions.set(controller, { at: now + pause, count: count + 1 });
    const [oldest] = this.#deletions.keys();
    if (this.#deletions.size > MAX_CONTROLLERS && oldest !== undefined) {
      this.#deletions.delete(oldest);
    }
    return true;
  }
}

function uidOf({ metadata }: KubeObject): string {
  return metadata.uid ?? `${metadata.namespace}/${metadata.name}`;
}

function refOf({ metadata: { namespace, name = "" } }: KubeObject) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    name,
    ...(namespace === undefined ? {} : { namespace }),
  };
}
