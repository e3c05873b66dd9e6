import type { Site } from "../admission/mod.ts";
import type { KubeClient } from "../kube/mod.ts";
import type { Logger } from "../std/mod.ts";
import { AdmissionKeeper } from "./admission_keeper.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import type { Part } from "./listeners.ts";
import { PodMender } from "./pod_mender.ts";
import type { Settings } from "./settings.ts";
import { SourceMender } from "./source_mender.ts";

/** What {@linkcode Rewriting} works with. */
export interface RewritingOptions {
  readonly kube: KubeClient;
  readonly nodeName: string;
  readonly settings: Settings;
  readonly facts: ClusterFacts;
  /** The rules' view of the cluster now. */
  readonly site: () => Site;
  /** How the agent's own webhook is. */
  readonly listener: Part;
  /** How rewriting is. */
  readonly part: Part;
  readonly logger: Logger;
}

/** What every agent does so that the cluster's objects are rewritten: the webhooks, and mending. */
export class Rewriting {
  readonly #isOn: boolean;
  readonly #keeper: AdmissionKeeper;
  readonly #pods: PodMender;
  readonly #sources: SourceMender;

  constructor(options: RewritingOptions) {
    const { settings } = options;
    this.#isOn = settings["image-mode"] === "rewrite";
    const keeper = new AdmissionKeeper(options);
    const policy = () => keeper.policy;
    this.#keeper = keeper;
    this.#pods = new PodMender({
      ...options,
      policy,
      isProven: () => keeper.isProven,
    });
    this.#sources = new SourceMender({
      ...options,
      policy,
      proven: () => keeper.proven,
      exclusions: settings["mutation-exclusion"],
    });
  }

  /** Objects that were mended since the start, by kind. */
  get mended(): Readonly<Record<string, number>> {
    return { Pod: this.#pods.mended, ...this.#sources.mended };
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const menders = this.#isOn ? [this.#pods, this.#sources] : [];
    await Promise.all([this.#keeper, ...menders].map((loop) => loop.run(signal)));
  }
}
