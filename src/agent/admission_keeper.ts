import {
  AdmissionTlsRotation,
  hasWebhooks,
  isAsWanted,
  loadStanding,
  type MutationPolicy,
  proveWebhook,
  putWebhooks,
  removeWebhooks,
  type Standing,
  standingOf,
  webhookConfiguration,
  withdrawWebhooks,
} from "../admission/mod.ts";
import { type KubeClient, KubeError } from "../kube/mod.ts";
import {
  backoffDelay,
  type Clock,
  Complaints,
  describeError,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import { ListenerWatch } from "./listener_watch.ts";
import type { Part } from "./listeners.ts";
import { runsOnlyServer } from "./only_server.ts";
import type { Settings } from "./settings.ts";
import { Occasion, whenAborted } from "./signals.ts";
import { type TurnOptions, waitTurn } from "./turns.ts";

/** Milliseconds between two looks although nothing was seen to change; each asks for a proof. */
const RESYNC_INTERVAL = 5 * 60_000;
/** The same while nobody was seen to answer. */
const UNPROVEN_INTERVAL = 10_000;
/** The same while the agent may not write or read the configuration. */
const FORBIDDEN_INTERVAL = 60_000;
/** Milliseconds in which a proof has to succeed; an API server reads a new configuration late. */
const PROOF_TIMEOUT = 3_000;
/** The longest wait before a write, in milliseconds. */
const LONGEST_TURN = 1_000;
/** So many writes are made in {@linkcode WRITE_WINDOW} milliseconds; others may want it otherwise. */
const MAX_WRITES = 5;
const WRITE_WINDOW = 10 * 60_000;

/** What {@linkcode AdmissionKeeper} works with. */
export interface AdmissionKeeperOptions {
  readonly kube: KubeClient;
  readonly nodeName: string;
  readonly settings: Pick<
    Settings,
    "admission-address" | "image-mode" | "mutation-exclusion" | "registry-address"
  >;
  readonly facts: Pick<ClusterFacts, "current" | "synced" | "changed">;
  /** How the agent's own webhook is. */
  readonly listener: Part;
  readonly part: Part;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** A number in [0, 1); a test passes its own. @default Math.random */
  readonly random?: () => number;
}

/**
 * Keeps the API server asking the webhooks: their configuration is put in once there is a state, and
 * put right when somebody changes or deletes it. It is taken out while Zarf's own agent is installed,
 * and while this agent cannot serve and nobody else could be asked (docs/agent.md). Every agent does
 * this, without a lease: all write the same. While nothing changes nothing is written.
 */
export class AdmissionKeeper {
  readonly #options: AdmissionKeeperOptions;
  readonly #clock: Clock;
  readonly #turn: TurnOptions;
  readonly #listener: ListenerWatch;
  readonly #rotation: AdmissionTlsRotation;
  readonly #event = new Occasion();
  readonly #proof = new Occasion();
  readonly #complaints: Complaints;
  #standing: Standing | undefined;
  #policy: MutationPolicy | undefined;
  #isProven = false;
  #writes: readonly number[] = [];
  #failures = 0;

  constructor(options: AdmissionKeeperOptions) {
    this.#options = options;
    const { clock = systemClock, random = Math.random } = options;
    this.#clock = clock;
    this.#complaints = new Complaints((text) => options.logger.warn(text));
    this.#listener = new ListenerWatch(options.listener, clock);
    this.#turn = { longest: LONGEST_TURN, clock, random };
    this.#rotation = new AdmissionTlsRotation({ logger: options.logger, clock: this.#clock });
  }

  /** Whose objects are Holdfast's to rewrite now; `undefined` while none are. */
  get policy(): MutationPolicy | undefined {
    return this.#policy;
  }

  /** Whether the API server was seen to have Holdfast rewrite pods, when it was asked last. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** Aborts when the API server is next seen to ask after it was not. */
  get proven(): AbortSignal {
    return this.#proof.next;
  }

  /** Runs until the signal aborts; where images are not rewritten, until the webhooks are out. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#event.happen();
    signal.addEventListener("abort", onAbort, { once: true });
    if (this.#options.settings["image-mode"] !== "rewrite") return await this.#takeOut(signal);
    await Promise.all([
      this.#followConfigurations(signal),
      this.#followFacts(signal),
      this.#listener.run(() => this.#event.happen(), signal),
      this.#keep(signal),
    ]);
  }

  async #followConfigurations(signal: AbortSignal): Promise<void> {
    const ref = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
    };
    for await (const configurations of this.#options.kube.reflect(ref, { signal })) {
      this.#standing = standingOf(configurations.values());
      this.#event.happen();
    }
  }

  async #followFacts(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await whenAborted(signal, this.#options.facts.changed);
      this.#event.happen();
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { next } = this.#event;
      await this.#clock.sleep(await this.#tryPass(signal), next);
    }
  }

  /** One look; gives the milliseconds until the next. */
  async #tryPass(signal: AbortSignal): Promise<number> {
    try {
      const pause = await this.#pass(signal);
      this.#failures = 0;
      return pause;
    } catch (error) {
      if (signal.aborted) return 0;
      if (error instanceof KubeError && error.reason === "Forbidden") {
        this.#tell(true, `left to agents with more rights: ${describeError(error)}`);
        return FORBIDDEN_INTERVAL;
      }
      this.#tell(false, `cannot be kept right: ${describeError(error)}`);
      return backoffDelay(this.#failures++, { random: this.#turn.random, max: UNPROVEN_INTERVAL });
    }
  }

  async #pass(signal: AbortSignal): Promise<number> {
    const { facts } = this.#options;
    const { policy } = facts.current;
    const standing = this.#standing;
    if (!facts.synced || policy === undefined || standing === undefined) {
      this.#policy = undefined;
      const isKnown = facts.synced && standing !== undefined;
      this.#tell(true, isKnown ? "waits for Zarf's state" : "waits for the cluster");
      return RESYNC_INTERVAL;
    }
    if (standing.zarf !== undefined) return await this.#leaveToZarf(standing, signal);
    this.#policy = policy;
    if (await this.#staysOut(standing, signal)) return UNPROVEN_INTERVAL;
    if (!await this.#putRight(policy, signal)) return UNPROVEN_INTERVAL;
    return await this.#prove(signal);
  }

  /** Of Zarf's agent and Holdfast one acts: Zarf's was put in by a person. */
  async #leaveToZarf({ zarf, ours }: Standing, signal: AbortSignal): Promise<number> {
    const { kube, logger } = this.#options;
    this.#policy = undefined;
    this.#isProven = false;
    if (hasWebhooks(ours)) {
      await waitTurn(this.#turn, signal);
      if ((await loadStanding(kube, { signal })).zarf !== undefined) {
        if (await removeWebhooks(kube, { signal })) {
          logger.info("the admission webhooks are taken out, as Zarf's agent acts");
        }
      }
    }
    this.#tell(true, `left to Zarf's own agent (MutatingWebhookConfiguration ${zarf})`);
    return RESYNC_INTERVAL;
  }

  /** Whether the webhooks are out, or taken out now, because nobody can answer. */
  async #staysOut({ withdrawn, ours }: Standing, signal: AbortSignal): Promise<boolean> {
    const { kube, nodeName: self, listener, logger } = this.#options;
    if (withdrawn !== undefined) {
      const stays = withdrawn.by === self
        ? !listener.ok
        : await runsOnlyServer(kube, withdrawn.by, { signal });
      if (stays) this.#sayOut(withdrawn.by, withdrawn.why);
      return stays;
    }
    if (this.#listener.canServe || !hasWebhooks(ours)) return false;
    if (!await runsOnlyServer(kube, self, { signal })) return false;
    if (await this.#attempt(0, signal) === undefined) return false;
    const why = listener.message;
    if (await withdrawWebhooks(kube, { by: self, why }, { signal })) {
      logger.warn("the admission webhooks are taken out, as nobody can answer", { why });
    }
    this.#sayOut(self, why);
    return true;
  }

  #sayOut(by: string, why: string): void {
    this.#isProven = false;
    this.#tell(false, `taken out by the agent of node ${by}: ${why}`);
  }

  /** Writes the configuration if it is not as it should be; `false` when that was done too often. */
  async #putRight(policy: MutationPolicy, signal: AbortSignal): Promise<boolean> {
    const { kube, settings, logger } = this.#options;
    const tls = await this.#rotation.step(kube, { signal });
    const wanted = webhookConfiguration({
      address: settings["admission-address"],
      caBundle: tls.ca,
      policy,
      exclusions: settings["mutation-exclusion"],
    });
    if (isAsWanted(this.#standing?.ours, wanted)) return true;
    const now = this.#clock.monotonic();
    this.#writes = this.#writes.filter((at) => now - at < WRITE_WINDOW);
    if (this.#writes.length >= MAX_WRITES) {
      this.#tell(
        false,
        "somebody keeps changing the webhooks' configuration, as agents with other settings do; " +
          `it is put right ${MAX_WRITES} times in ${WRITE_WINDOW / 60_000} minutes`,
      );
      return false;
    }
    await waitTurn(this.#turn, signal);
    const { zarf, withdrawn } = await loadStanding(kube, { signal });
    // Something else was decided meanwhile: the next look, which that brings about, heeds it.
    if (zarf !== undefined || withdrawn?.by !== this.#standing?.withdrawn?.by) return false;
    if (await putWebhooks(kube, wanted, { signal })) {
      this.#writes = [...this.#writes, now];
      logger.info("the admission webhooks are put in");
    }
    return true;
  }

  async #prove(signal: AbortSignal): Promise<number> {
    const why = await this.#attempt(PROOF_TIMEOUT, signal);
    const wasProven = this.#isProven;
    this.#isProven = why === undefined;
    if (why !== undefined) {
      this.#tell(false, `the API server was not seen to ask an agent: ${why}`);
      return UNPROVEN_INTERVAL;
    }
    this.#tell(true, "the API server asks the agent of its node");
    if (!wasProven) this.#proof.happen();
    return RESYNC_INTERVAL;
  }

  #attempt(timeout: number, signal: AbortSignal): Promise<string | undefined> {
    const { kube, settings, facts } = this.#options;
    return proveWebhook(kube, {
      agent: "Holdfast",
      registryAddresses: [
        settings["registry-address"],
        facts.current.access?.registryAddress ?? "",
      ],
      timeout,
      clock: this.#clock,
      signal,
    });
  }

  /** In mode `mirror` nothing is rewritten: webhooks of an earlier mode go, once. */
  async #takeOut(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await removeWebhooks(this.#options.kube, { signal });
        this.#tell(true, "images are not rewritten in this mode");
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#tell(false, `webhooks of another mode cannot be removed: ${describeError(error)}`);
      }
      await this.#clock.sleep(UNPROVEN_INTERVAL, signal);
    }
  }

  #tell(ok: boolean, message: string): void {
    const { part } = this.#options;
    part.set(ok, message);
    if (ok) this.#complaints.settle();
    else this.#complaints.say(`${part.name}: ${message}`);
  }
}
