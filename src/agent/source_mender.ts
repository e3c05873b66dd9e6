import {
  isSelected,
  kindsWithout,
  mendObject,
  type MutatedKind,
  type MutationExclusion,
  type MutationPolicy,
  pathOf,
  RULES,
  type Site,
  UNMENDED_SELECTOR,
} from "../admission/mod.ts";
import { type KubeClient, KubeError, type KubeObject } from "../kube/mod.ts";
import { type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import { NamespaceLabels } from "./namespace_labels.ts";
import { Occasion, whenAborted } from "./signals.ts";
import { type TurnOptions, waitTurn } from "./turns.ts";

/** Milliseconds between two looks. */
const SWEEP_INTERVAL = 5 * 60_000;
/** The same while there is nothing for this agent to mend. */
const IDLE = 5_000;
/** The longest wait before a look, in milliseconds: of several agents one finds the most to do. */
const LONGEST_TURN = 2_000;
/** Objects of a kind that are changed in one look. */
const MAX_OBJECTS = 100;

/** Where a kind may be found, the newest version first. */
const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  "": ["v1"],
  "source.toolkit.fluxcd.io": ["v1", "v1beta2", "v1beta1"],
  "argoproj.io": ["v1alpha1"],
};

/** What {@linkcode SourceMender} works with. */
export interface SourceMenderOptions {
  readonly kube: KubeClient;
  /** The rules' view of the cluster now. */
  readonly site: () => Site;
  /** Whose objects are Holdfast's to rewrite now; `undefined` while none are. */
  readonly policy: () => MutationPolicy | undefined;
  /** Aborts when the API server is next seen to ask after it was not. */
  readonly proven: () => AbortSignal;
  readonly exclusions: readonly MutationExclusion[];
  readonly logger: Logger;
  readonly clock?: Clock;
  /** A number in [0, 1); a test passes its own. @default Math.random */
  readonly random?: () => number;
}

/**
 * Mends what Flux and Argo CD read, where it was stored while no agent answered: at the start, after
 * the API server was not seen to ask for a while, and every few minutes.
 */
export class SourceMender {
  readonly #options: SourceMenderOptions;
  readonly #clock: Clock;
  readonly #turn: TurnOptions;
  readonly #event = new Occasion();
  #mended: Readonly<Record<string, number>> = {};

  constructor(options: SourceMenderOptions) {
    this.#options = options;
    const { clock = systemClock, random = Math.random } = options;
    this.#clock = clock;
    this.#turn = { longest: LONGEST_TURN, clock, random };
  }

  /** Objects that were mended since the start, by kind. */
  get mended(): Readonly<Record<string, number>> {
    return this.#mended;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#event.happen();
    signal.addEventListener("abort", onAbort, { once: true });
    await Promise.all([this.#watchProof(signal), this.#keep(signal)]);
  }

  async #watchProof(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await whenAborted(signal, this.#options.proven());
      this.#event.happen();
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { next } = this.#event;
      const hasWork = this.#options.policy() !== undefined;
      if (hasWork) {
        await waitTurn(this.#turn, signal);
        await this.sweep(signal);
      }
      await this.#clock.sleep(hasWork ? SWEEP_INTERVAL : IDLE, next);
    }
  }

  /** Looks at every kind once. A kind that cannot be read does not keep the others waiting. */
  async sweep(signal: AbortSignal): Promise<void> {
    const labels = new NamespaceLabels(this.#options.kube, signal);
    for (const kind of kindsWithout(this.#options.exclusions)) {
      if (kind.kind === "Pod" || signal.aborted) continue;
      try {
        await this.#sweepKind(kind, labels, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.warn("what slipped through cannot be looked for", {
          kind: kind.kind,
          error: describeError(error),
        });
      }
    }
  }

  async #sweepKind(
    kind: MutatedKind,
    labels: NamespaceLabels,
    signal: AbortSignal,
  ): Promise<void> {
    let changed = 0;
    for (const object of await this.#list(kind, signal)) {
      if (changed >= MAX_OBJECTS || signal.aborted) return;
      if (await this.#mend(kind, object, labels, signal)) changed++;
    }
  }

  /** Objects of a kind without the webhook's label; none where the cluster has no such kind. */
  async #list(kind: MutatedKind, signal: AbortSignal): Promise<readonly KubeObject[]> {
    const objects = (kind.objects ?? []).map(({ key, values = [] }) => `${key} in (${values})`);
    const labelSelector = [UNMENDED_SELECTOR, ...objects].join(",");
    for (const version of VERSIONS[kind.group] ?? []) {
      const apiVersion = kind.group === "" ? version : `${kind.group}/${version}`;
      try {
        const ref = { apiVersion, kind: kind.kind };
        const { items } = await this.#options.kube.list(ref, { labelSelector, signal });
        return items;
      } catch (error) {
        if (!(error instanceof KubeError && error.reason === "NotFound")) throw error;
      }
    }
    return [];
  }

  async #mend(
    kind: MutatedKind,
    object: KubeObject,
    namespaces: NamespaceLabels,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { kube, site, policy, logger } = this.#options;
    const { namespace = "", name = "", labels, resourceVersion } = object.metadata;
    const rule = RULES.get(pathOf(kind));
    const of = policy();
    try {
      const namespaceLabels = await namespaces.of(namespace);
      if (rule === undefined || of === undefined || namespaceLabels === null) return false;
      const target = { labels, namespace: { name: namespace, labels: namespaceLabels } };
      const patch = isSelected(kind, target, of) ? await mendObject(rule, object, site()) : [];
      if (patch.length === 0) return false;
      const version = { op: "add", path: "/metadata/resourceVersion", value: resourceVersion };
      const ref = { apiVersion: object.apiVersion, kind: object.kind, namespace, name };
      await kube.patch(ref, { type: "json", body: [...patch, version] }, { signal });
    } catch (error) {
      // Mostly another agent was first; what is still wrong is seen at the next look.
      logger.debug("an object cannot be mended now", {
        namespace,
        name,
        error: describeError(error),
      });
      return false;
    }
    this.#mended = { ...this.#mended, [kind.kind]: (this.#mended[kind.kind] ?? 0) + 1 };
    logger.info("what was not seen when it was made is mended", {
      kind: kind.kind,
      namespace,
      name,
    });
    return true;
  }
}
