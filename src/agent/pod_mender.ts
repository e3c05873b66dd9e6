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

/**
 * The longest wait from when a pod is seen until it is mended, in milliseconds. Every agent sees the
 * pod, none leads: who waits the shortest mends it, and the others see it done. No longer than the
 * kubelet needs to make a sandbox: once it pulls from outside, on a site without a way there it tries
 * for half a minute before it looks at the pod again.
 */
const MAX_JITTER = 300;
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

/** When a pod is looked at next, and how often that failed. */
interface Turn {
  at: number;
  failures: number;
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
  readonly #random: () => number;
  readonly #event = new Occasion();
  readonly #turns = new Map<string, Turn>();
  readonly #deletions = new Map<string, Turn>();
  #pods: Snapshot = new Map();
  #mended = 0;

  constructor(options: PodMenderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
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
      this.#arrange();
      if (this.#options.policy() !== undefined) await this.#pass(signal);
      await this.#clock.sleep(this.#pause(), next);
    }
  }

  /** Gives new pods their turn and forgets those that are gone. */
  #arrange(): void {
    const now = this.#clock.monotonic();
    const uids = new Set([...this.#pods.values()].map(uidOf));
    for (const uid of this.#turns.keys()) if (!uids.has(uid)) this.#turns.delete(uid);
    for (const uid of uids) {
      if (this.#turns.has(uid)) continue;
      this.#turns.set(uid, { at: now + this.#random() * MAX_JITTER, failures: 0 });
    }
  }

  #pause(): number {
    if (this.#turns.size === 0) return LATER;
    if (this.#options.policy() === undefined) return IDLE;
    const first = Math.min(...[...this.#turns.values()].map(({ at }) => at));
    return Math.max(0, first - this.#clock.monotonic());
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const labels = new NamespaceLabels(this.#options.kube, signal);
    const now = this.#clock.monotonic();
    const due = [...this.#pods.values()].map((pod) => ({ pod, turn: this.#turns.get(uidOf(pod)) }))
      .filter((one): one is { pod: KubeObject; turn: Turn } => (one.turn?.at ?? Infinity) <= now)
      .sort((a, b) => a.turn.at - b.turn.at).slice(0, MAX_PODS);
    for (const { pod, turn } of due) {
      if (signal.aborted) return;
      await this.#take(pod, turn, labels, signal);
    }
  }

  async #take(
    pod: KubeObject,
    turn: Turn,
    labels: NamespaceLabels,
    signal: AbortSignal,
  ): Promise<void> {
    const { logger } = this.#options;
    const { namespace, name } = pod.metadata;
    try {
      const outcome = await this.#mend(pod, labels, signal);
      turn.at = this.#clock.monotonic() + (outcome === "waits" ? IDLE : LATER);
      turn.failures = 0;
      if (outcome !== "mended" && outcome !== "deleted") return;
      this.#mended++;
      logger.info(`a pod that was not seen when it was made is ${outcome}`, { namespace, name });
    } catch (error) {
      if (signal.aborted) return;
      // Mostly another agent was first, or the kubelet wrote its status.
      const pause = backoffDelay(turn.failures++, {
        initial: RETRY,
        max: LATER,
        random: this.#random,
      });
      turn.at = this.#clock.monotonic() + pause;
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
    const turn = this.#deletions.get(controller) ?? { at: 0, failures: 0 };
    if (turn.at > now) return false;
    const pause = backoffDelay(turn.failures++, {
      initial: MIN_DELETION_PAUSE,
      max: MAX_DELETION_PAUSE,
      random: () => 1,
    });
    this.#deletions.delete(controller);
    this.#deletions.set(controller, { at: now + pause, failures: turn.failures });
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
