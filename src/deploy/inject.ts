import { isTransient, type KubeClient } from "../kube/mod.ts";
import type { ZarfDataInjection } from "../package/mod.ts";
import type { Clock } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import {
  type Controller,
  type PodChoice,
  type TargetPod,
  targetPods,
  wantedPods,
} from "./injection_pods.ts";
import type { DeployJournal } from "./journal.ts";
import { worst } from "./pod_trouble.ts";
import { Transfer, type TransferContext, type TransferFailure } from "./transfer.ts";
import { TroubleWatch } from "./trouble_watch.ts";
import { cancelled } from "./wait.ts";

/** Milliseconds between two looks at the pods (Zarf 0.84, src/pkg/cluster/data.go). */
const POLL_INTERVAL = 1_000;
/** How often data is sent into one pod before the injection has failed. */
const MAX_ATTEMPTS = 3;
/** How many pods a message names. */
const MAX_NAMED = 3;
/** What an injection works with. */
export interface InjectContext extends TransferContext {
  readonly kube: KubeClient;
  readonly journal: DeployJournal;
  /** Its step in the journal. */
  readonly step: string;
  /** Milliseconds for one transfer, and for all pods from when everything is applied. */
  readonly timeout: number;
  /** How long trouble of the pods is borne, in milliseconds. */
  readonly troubleGrace?: number;
  /** When it is given up by {@linkcode Clock.monotonic}; Infinity until everything is applied. */
  readonly deadline: () => number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (phase: "Deploying" | "Waiting", message: string) => void;
}

/**
 * Brings a directory of the package into every pod that waits for it (Zarf 0.84,
 * src/pkg/cluster/data.go HandleDataInjection): the data, then the marker, with the `tar` of the
 * container; then it waits until the pods run. Unlike Zarf's it also serves pods that come one after
 * the other, as many as their controller will have.
 *
 * Doing it again does no harm: a pod that still waits is given everything anew, and one that went on
 * has been given it, as the journal says.
 *
 * @throws {DeployError} `InjectionFailed`, `TimedOut`, `Cancelled`; they name container and pods.
 */
export async function inject(data: ZarfDataInjection, context: InjectContext): Promise<void> {
  const injection = new Injection(data, context);
  let said = "";
  while (true) {
    const missing = await injection.once();
    if (missing === undefined) return;
    if (missing !== said) context.onProgress("Waiting", said = missing);
    if (context.signal.aborted) throw cancelled(context.signal);
    if (context.clock.monotonic() >= context.deadline()) {
      throw new DeployError({
        reason: "TimedOut",
        message: `${injection.name}: not done within ${seconds(context.timeout)} s: ${missing}`,
        disposition: "retry",
      });
    }
    await context.clock.sleep(POLL_INTERVAL, context.signal);
  }
}

/** One data injection into all its pods. */
class Injection {
  readonly name: string;
  readonly #context: InjectContext;
  readonly #choice: PodChoice;
  readonly #transfer: Transfer;
  /** Incarnations of containers that have everything. */
  readonly #served = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #troubles: TroubleWatch;

  constructor(data: ZarfDataInjection, context: InjectContext) {
    const { namespace, selector, container } = data.target;
    this.#transfer = new Transfer(data, context);
    this.#context = context;
    this.#troubles = new TroubleWatch(context.clock, context.troubleGrace);
    this.#choice = { namespace, selector, container, marker: context.marker };
    this.name =
      `data injection into container ${container} of ${selector} in namespace ${namespace}`;
  }

  /** Serves the pods that wait; what is missing then, if anything. */
  async once(): Promise<string | undefined> {
    const { signal } = this.#context;
    try {
      for (const pod of await this.#pods()) await this.#serve(pod);
      return await this.#missing(await this.#pods());
    } catch (error) {
      if (signal.aborted) throw cancelled(signal);
      if (!isTransient(error)) throw error;
      return "the API server does not say which pods there are";
    }
  }

  async #pods(): Promise<TargetPod[]> {
    const { kube, signal, journal, step } = this.#context;
    const pods = await targetPods(kube, this.#choice, { signal });
    for (const { incarnation, standing } of pods) {
      // It went on because of a marker whose sending was interrupted.
      if (standing === "past" && journal.isBegun(`${step}/${incarnation}/marker`)) {
        this.#served.add(incarnation);
      }
    }
    return pods;
  }

  async #serve(pod: TargetPod): Promise<void> {
    if (this.#served.has(pod.incarnation) || pod.standing !== "waiting") return;
    this.#context.onProgress("Deploying", `data goes into pod ${pod.name}`);
    const failure = await this.#send(pod);
    if (this.#context.signal.aborted) throw cancelled(this.#context.signal);
    if (failure === undefined) this.#served.add(pod.incarnation);
    else await this.#bear(pod, failure);
  }

  /**
   * Sends the data and then the marker, each journalled. Once the marker has been on its way the data
   * is complete and never sent again: the pod may be using it.
   */
  async #send(pod: TargetPod): Promise<TransferFailure | undefined> {
    const { journal, step } = this.#context;
    const [dataStep, markerStep] = ["data", "marker"].map((part) =>
      `${step}/${pod.incarnation}/${part}`
    ) as [string, string];
    if (!journal.isBegun(markerStep)) {
      await journal.begin(dataStep);
      deployFailpoint("deploy.injection.begin");
      const failure = await this.#transfer.data(pod);
      if (failure !== undefined) return failure;
      await journal.done(dataStep);
      deployFailpoint("deploy.injection.sent");
    }
    await journal.begin(markerStep);
    const failure = await this.#transfer.marker(pod);
    if (failure !== undefined) return failure;
    deployFailpoint("deploy.injection.marked");
    await journal.done(markerStep);
    return undefined;
  }

  /** Bears what passes: a pod that went away, or on, is none to serve any more. */
  async #bear(pod: TargetPod, { why, final = false }: TransferFailure): Promise<void> {
    const still = (await this.#pods())
      .some(({ incarnation, standing }) =>
        incarnation === pod.incarnation && standing === "waiting"
      );
    if (!still) return;
    const count = (this.#failures.get(pod.incarnation) ?? 0) + 1;
    this.#failures.set(pod.incarnation, count);
    if (!final && count < MAX_ATTEMPTS) return;
    const { container } = this.#choice;
    throw new DeployError({
      reason: "InjectionFailed",
      message:
        `data cannot be brought into container ${container} of pod ${pod.name} in namespace ` +
        `${pod.namespace}: ${why}`,
      kept: "the pod waits for its data",
      ...(final ? { remedy: "use an image with tar and mkdir for this container" } : {}),
      disposition: final ? "terminal" : "retry",
    });
  }

  async #missing(pods: readonly TargetPod[]): Promise<string | undefined> {
    const { selector, namespace, marker } = this.#choice;
    if (pods.length === 0) {
      return `no pod with ${selector} in namespace ${namespace} names the file ${marker}`;
    }
    const open = pods.filter((pod) => !this.#isSettled(pod));
    const trouble = worst(open.map(({ object }) => object));
    if (this.#troubles.isHopeless(trouble)) throw this.#hopeless(trouble?.message ?? "");
    if (open.length > 0) {
      const named = open.slice(0, MAX_NAMED).map((pod) => `pod ${pod.name}: ${this.#said(pod)}`);
      const more = open.length > MAX_NAMED ? ` and ${open.length - MAX_NAMED} more` : "";
      const why = trouble === undefined ? "" : ` (${trouble.message})`;
      return `${named.join("; ")}${more}${why}`;
    }
    if (!pods.some(({ incarnation }) => this.#served.has(incarnation))) throw this.#tooEarly(pods);
    return await this.#yetToCome(pods);
  }

  /** A pod that went on without having been served shares its volume with one that was. */
  #isSettled({ incarnation, standing, runs }: TargetPod): boolean {
    return runs && (standing === "past" || this.#served.has(incarnation));
  }

  #said({ incarnation, runs, text }: TargetPod): string {
    return this.#served.has(incarnation) && !runs
      ? `it has its data and does not run yet (${text})`
      : text;
  }

  #hopeless(why: string): DeployError {
    return new DeployError({
      reason: "NotReady",
      message: `${this.name}: its pods cannot become ready: ${why}`,
      disposition: "retry",
    });
  }

  #tooEarly([pod]: readonly TargetPod[]): DeployError {
    const { container, namespace, marker } = this.#choice;
    return new DeployError({
      reason: "InjectionFailed",
      message:
        `container ${container} of pod ${pod?.name} in namespace ${namespace} ended before ` +
        "its data came",
      remedy: `make it wait for the file ${marker} (###ZARF_DATA_INJECTION_MARKER###)`,
    });
  }

  /** Of which controllers there will be more pods than there are. */
  async #yetToCome(pods: readonly TargetPod[]): Promise<string | undefined> {
    const { kube, signal } = this.#context;
    const { namespace } = this.#choice;
    const byUid = new Map<string, { readonly controller: Controller; count: number }>();
    for (const { controller } of pods) {
      if (controller === undefined) continue;
      const entry = byUid.get(controller.uid) ?? { controller, count: 0 };
      entry.count++;
      byUid.set(controller.uid, entry);
    }
    for (const { controller, count } of byUid.values()) {
      const wanted = await wantedPods(kube, controller, namespace, { signal }) ?? 0;
      if (count < wanted) {
        return `${count} of ${wanted} pods of ${controller.kind} ${controller.name} are there`;
      }
    }
    return undefined;
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000);
}
