import { type Clock, describeError, failpoint, type Logger, systemClock } from "../std/mod.ts";
import { TalosClient } from "../talos/mod.ts";
import { ApiProber } from "./api_probe.ts";
import { type EtcdFacts, lookAtTalos } from "./etcd_facts.ts";
import { ETCD_MARKER_FAILPOINTS, EtcdMarker, type EtcdMemory } from "./etcd_marker.ts";
import { type EtcdVerdict, judgeMachine } from "./etcd_verdict.ts";
import type { Part } from "./listeners.ts";
import { hostOf } from "./node_address.ts";

/** Where a test may end the process while a cluster is begun, in the order they are passed. */
export const ETCD_FAILPOINTS = [
  ...ETCD_MARKER_FAILPOINTS,
  "etcd.asking",
  "etcd.asked",
] as const;

/** Milliseconds between two looks. */
const INTERVAL = 2_000;
/** Where an API server of Talos listens, unless it is told otherwise. */
const API_PORT = 6443;

/** What {@linkcode EtcdBootstrap} works with. */
export interface EtcdBootstrapOptions {
  /** machined's socket. */
  readonly socket: string;
  /** Of the store. */
  readonly dataDir: string;
  /** The site's control planes, canonical addresses; the first makes the cluster. */
  readonly controlPlanes: readonly string[];
  /** Whether an API server has answered this agent. */
  readonly apiAnswered: () => boolean;
  readonly part: Part;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/** What keeps the first machine from beginning, or that nothing does. */
type Objection = Extract<EtcdVerdict, { readonly kind: "over" | "wait" }>;

/**
 * Begins a site's cluster: has Talos make etcd on the site's first control plane, once, when nothing
 * says that there is one or was one. It looks again and again, and decides by what it sees then;
 * docs/decisions/etcd-bootstrap.md says why it is enough. Two clusters are worse than none: what
 * cannot be known is waited for.
 */
export class EtcdBootstrap {
  readonly #options: EtcdBootstrapOptions;
  readonly #clock: Clock;
  readonly #marker: EtcdMarker;
  readonly #prober = new ApiProber();
  #said = "";

  constructor(options: EtcdBootstrapOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#marker = new EtcdMarker(options.dataDir);
  }

  /** Looks until there is a cluster or the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        using client = new TalosClient(this.#options.socket);
        if (await this.#step(client, signal)) return;
      } catch (error) {
        if (signal.aborted) return;
        this.#say(false, describeError(error));
      }
      await this.#clock.sleep(INTERVAL, signal);
    }
  }

  /** One look and what follows. @returns whether there is nothing more to do */
  async #step(client: TalosClient, signal: AbortSignal): Promise<boolean> {
    const { facts, memory } = await this.#look(client, signal);
    const verdict = await this.#judge(facts, memory, signal);
    switch (verdict.kind) {
      case "over":
        return this.#over(memory, verdict.seen);
      case "none":
        this.#say(true, verdict.text);
        return true;
      case "joins":
        this.#say(true, `the control plane ${verdict.first} makes the cluster, this one joins it`);
        return false;
      case "wait":
        this.#say(verdict.wrong !== true, `no cluster is made yet: ${verdict.text}`);
        return false;
      case "making":
        this.#say(true, verdict.text);
        return false;
      case "first":
        await this.#begin(client, facts, memory, signal);
        return false;
    }
  }

  /** What Talos says and what is remembered; the service's first runner of each life is noted. */
  async #look(
    client: TalosClient,
    signal: AbortSignal,
  ): Promise<{ facts: EtcdFacts; memory: EtcdMemory }> {
    const facts = await lookAtTalos(client, { signal });
    const memory = this.#marker.read();
    const { life, service } = facts;
    if (memory.seen !== undefined || service === undefined || memory.boot?.life === life) {
      return { facts, memory };
    }
    const noted = { ...memory, boot: { life, runner: service.runner } };
    this.#marker.write(noted);
    return { facts, memory: noted };
  }

  async #judge(facts: EtcdFacts, memory: EtcdMemory, signal: AbortSignal): Promise<EtcdVerdict> {
    if (memory.seen === undefined && this.#options.apiAnswered()) {
      return { kind: "over", seen: "the API server has answered" };
    }
    const verdict = judgeMachine(facts, memory, this.#options.controlPlanes);
    if (verdict.kind !== "first") return verdict;
    return await this.#objection(facts, verdict.others, signal) ?? verdict;
  }

  /** What other machines say against it. */
  async #objection(
    facts: EtcdFacts,
    others: readonly string[],
    _signal: AbortSignal,
  ): Promise<Objection | undefined> {
    if (others.length > 0) {
      return { kind: "wait", text: `nobody has asked ${others.join(", ")} yet`, wrong: true };
    }
    const places = new Map(
      [...others.map((host) => ({ host, port: API_PORT })), ...[facts.endpoint ?? []].flat()]
        .map((place) => [`${hostOf(place.host)}:${place.port}`, place]),
    );
    const probes = await Promise.all(
      [...places].map(async ([name, place]) => ({
        name,
        probe: await this.#prober.probe(place, facts.authorities),
      })),
    );
    for (const { name, probe } of probes) {
      if (probe.kind === "ours") {
        return { kind: "over", seen: `an API server answers on ${name}` };
      }
      if (probe.kind === "other") return { kind: "wait", text: probe.text, wrong: true };
    }
    return undefined;
  }

  /**
   * Asks Talos. That it will be asked is durable before everything is looked at once more, so that of
   * two machines that both think they are the first, one at least sees the other.
   */
  async #begin(
    client: TalosClient,
    facts: EtcdFacts,
    memory: EtcdMemory,
    signal: AbortSignal,
  ): Promise<void> {
    const { life, service } = facts;
    const runner = service?.runner ?? "";
    const asked = { life, runner };
    if (memory.asked?.life !== life || memory.asked.runner !== runner) {
      this.#say(true, "Talos is going to be asked to make the cluster");
      this.#marker.write({ ...memory, boot: asked, asked });
      const again = await this.#look(client, signal);
      const verdict = await this.#judge(again.facts, again.memory, signal);
      // Whatever it is, the next look says it.
      if (verdict.kind !== "first" || again.facts.service?.runner !== runner) return;
    }
    failpoint("etcd.asking");
    await client.bootstrap({ signal });
    failpoint("etcd.asked");
    this.#say(true, "Talos was asked to make the cluster");
  }

  #over(memory: EtcdMemory, seen: string): true {
    // Said first: a disk that takes no writes must not keep the page from being right.
    this.#say(true, `there is a cluster: ${seen}`);
    if (memory.seen === undefined) this.#marker.write({ ...memory, seen });
    return true;
  }

  /** Says it on the status page, and in the log when it is news. */
  #say(ok: boolean, text: string): void {
    this.#options.part.set(ok, text);
    if (text === this.#said) return;
    this.#said = text;
    this.#options.logger[ok ? "info" : "warn"](`etcd bootstrap: ${text}`);
  }
}
