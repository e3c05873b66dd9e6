import { type Clock, describeError, failpoint, type Logger, systemClock } from "../std/mod.ts";
import { TalosClient } from "../talos/mod.ts";
import { ApiProber } from "./api_probe.ts";
import { judgePeers, type Objection } from "./etcd_agreement.ts";
import { EtcdCompany } from "./etcd_company.ts";
import { ETCD_DATA, type EtcdFacts, lookAtTalos } from "./etcd_facts.ts";
import { ETCD_MARKER_FAILPOINTS, EtcdMarker, type EtcdMemory } from "./etcd_marker.ts";
import { askPeer, type WordSource } from "./etcd_peers.ts";
import { type EtcdVerdict, hazardOf, judgeMachine } from "./etcd_verdict.ts";
import { isVoid, removeVoid } from "./etcd_void.ts";
import { type EtcdStatement, wordOf } from "./etcd_word.ts";
import type { Part } from "./listeners.ts";
import { hostOf } from "./node_address.ts";
import { API_PORT } from "./led_kubeconfig.ts";

/** Where a test may end the process while a cluster is begun, in the order they are passed. */
export const ETCD_FAILPOINTS = [
  ...ETCD_MARKER_FAILPOINTS,
  "etcd.asking",
  "etcd.asked",
] as const;

/** How a cluster is known on a machine whose agent works in it. */
const API_ANSWERED = "the API server has answered";
/** What a list that lacks somebody leads to. */
const HAZARD = "a first one that is replaced by a blank one would begin another cluster";
/** When to look again. */
type Next = "soon" | "seldom" | "never";
/** Milliseconds between two looks. */
const INTERVAL = 2_000;
/** Milliseconds between two looks when there is a cluster. */
const WATCH_INTERVAL = 5 * 60_000;
/** Milliseconds after which the site's key is read anew before a question is answered. */
const SECRET_AGE = 60_000;

/** What {@linkcode EtcdBootstrap} works with. */
export interface EtcdBootstrapOptions {
  /** machined's socket. */
  readonly socket: string;
  /** Of the store. */
  readonly dataDir: string;
  /** The site's control planes, canonical addresses; the first makes the cluster. */
  readonly controlPlanes: readonly string[];
  /** Where the agents of the others listen. */
  readonly peerPort: number;
  /** Whether an API server has answered this agent. */
  readonly apiAnswered: () => boolean;
  /** Told what keeps the cluster from being made, and when nothing does any more. */
  readonly onWait?: (why: string | undefined) => void;
  readonly part: Part;
  readonly logger: Logger;
  /** etcd's data directory, as far as it can be written. @default {@linkcode ETCD_DATA} */
  readonly etcdDir?: string;
  readonly clock?: Clock;
}

/**
 * Begins a site's cluster: has Talos make etcd on the site's first control plane, once, when nothing
 * says that there is one or was one. It looks again and again, and decides by what it sees then;
 * docs/decisions/etcd-bootstrap.md says why it is enough. Two clusters are worse than none: what
 * cannot be known is waited for.
 */
export class EtcdBootstrap implements WordSource {
  readonly #options: EtcdBootstrapOptions;
  readonly #clock: Clock;
  readonly #marker: EtcdMarker;
  readonly #prober = new ApiProber();
  readonly #company: EtcdCompany;
  #secret: { readonly text: string | undefined; readonly readAt: number } | undefined;
  #said = "";

  constructor(options: EtcdBootstrapOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#marker = new EtcdMarker(options.dataDir);
    this.#company = new EtcdCompany({ ...options, clock: this.#clock });
  }

  /** Looks until the signal aborts, seldom when there is a cluster; a worker it leaves alone. */
  async run(signal: AbortSignal): Promise<void> {
    let next: Next = "soon";
    while (!signal.aborted) {
      try {
        using client = new TalosClient(this.#options.socket);
        next = await this.#step(client, signal);
        if (next === "never") return;
      } catch (error) {
        if (signal.aborted) return;
        if (next === "soon") this.#wait(false, describeError(error));
      }
      await this.#clock.sleep(next === "soon" ? INTERVAL : WATCH_INTERVAL, signal);
    }
  }

  /** The site's key. @throws {TalosError} */
  async secret(): Promise<string | undefined> {
    const now = this.#clock.monotonic();
    if (this.#secret === undefined || now - this.#secret.readAt > SECRET_AGE) {
      using client = new TalosClient(this.#options.socket);
      await this.#look(client);
    }
    return this.#secret?.text;
  }

  /** What this machine says to another control plane; it looks anew. @throws {TalosError} */
  async state(): Promise<EtcdStatement> {
    using client = new TalosClient(this.#options.socket);
    const { facts, memory } = await this.#look(client);
    const { addresses } = facts;
    const { controlPlanes, apiAnswered } = this.#options;
    const word = apiAnswered()
      ? { word: "cluster" as const, text: API_ANSWERED }
      : wordOf(facts, memory);
    return { ...word, addresses, controlPlanes };
  }

  /** One look and what follows. */
  async #step(client: TalosClient, signal: AbortSignal): Promise<Next> {
    const { facts, memory } = await this.#look(client, signal);
    const verdict = await this.#judge(facts, memory, signal);
    switch (verdict.kind) {
      case "over":
        return this.#over(verdict.seen, facts);
      case "none":
        this.#say(true, verdict.text);
        return "never";
      case "joins":
        await this.#join(verdict.first, facts, signal);
        return "soon";
      case "wait":
        this.#wait(verdict.wrong !== true, `no cluster is made yet: ${verdict.text}`);
        return "soon";
      case "making":
        this.#say(true, verdict.text);
        return "soon";
      case "first":
        if (facts.data === "void") this.#clear(facts, memory);
        else await this.#begin(client, facts, signal);
        return "soon";
    }
  }

  /** What Talos says and what is remembered; the service's first runner of each life is noted. */
  async #look(
    client: TalosClient,
    signal?: AbortSignal,
  ): Promise<{ facts: EtcdFacts; memory: EtcdMemory }> {
    const seen = await lookAtTalos(client, signal === undefined ? {} : { signal });
    const memory = this.#marker.read();
    const facts = this.#withVoid(seen, memory);
    this.#secret = { text: facts.siteSecret, readAt: this.#clock.monotonic() };
    const { life, service } = facts;
    if (memory.seen !== undefined || service === undefined || memory.boot?.life === life) {
      return { facts, memory };
    }
    const noted = { ...memory, boot: { life, runner: service.runner } };
    this.#marker.write(noted);
    return { facts, memory: noted };
  }

  /** Only what this machine itself began may turn out to be nothing. */
  #withVoid(facts: EtcdFacts, { asked, seen }: EtcdMemory): EtcdFacts {
    const { etcdDir = ETCD_DATA } = this.#options;
    if (facts.data !== "present" || facts.members.length > 0) return facts;
    if (asked === undefined || seen !== undefined || !isVoid(etcdDir)) return facts;
    return { ...facts, data: "void" };
  }

  async #judge(facts: EtcdFacts, memory: EtcdMemory, signal: AbortSignal): Promise<EtcdVerdict> {
    if (memory.seen === undefined && this.#options.apiAnswered()) {
      return { kind: "over", seen: API_ANSWERED };
    }
    const verdict = judgeMachine(facts, memory, this.#options.controlPlanes);
    if (verdict.kind !== "first") return verdict;
    return await this.#objection(facts, verdict.others, signal) ?? verdict;
  }

  /** Another machine makes the cluster: says who keeps it from that. */
  async #join(first: string, facts: EtcdFacts, signal: AbortSignal): Promise<void> {
    const joins = `the control plane ${first} makes the cluster, this one joins it`;
    const missing = await this.#company.missing(facts, signal);
    if (missing === undefined) this.#say(true, joins);
    else this.#wait(false, `no cluster is made yet: ${missing}; ${joins}`);
  }

  /** What other machines say against it: the other control planes, and whoever is an API server. */
  async #objection(
    facts: EtcdFacts,
    others: readonly string[],
    signal: AbortSignal,
  ): Promise<Objection | undefined> {
    const { controlPlanes, peerPort } = this.#options;
    const { siteSecret = "" } = facts;
    const [answers, server] = await Promise.all([
      Promise.all(others.map((address) => askPeer(address, peerPort, siteSecret, signal))),
      this.#apiServer(facts, others),
    ]);
    const peers = judgePeers(answers, controlPlanes);
    return [peers, server].find((objection) => objection?.kind === "over") ?? peers ?? server;
  }

  /** An API server, where one of the site would be. */
  async #apiServer(
    { endpoint, authorities }: EtcdFacts,
    others: readonly string[],
  ): Promise<Objection | undefined> {
    const places = new Map(
      [...others.map((host) => ({ host, port: API_PORT })), ...[endpoint ?? []].flat()]
        .map((place) => [`${hostOf(place.host)}:${place.port}`, place]),
    );
    const found = await Promise.all(
      [...places].map(async ([name, place]): Promise<Objection | undefined> => {
        const probe = await this.#prober.probe(place, authorities);
        if (probe.kind === "other") return { kind: "wait", text: probe.text, wrong: true };
        if (probe.kind === "nothing") return undefined;
        return { kind: "over", seen: `an API server answers on ${name}` };
      }),
    );
    return found.find((each) => each?.kind === "over") ?? found.find((each) => each !== undefined);
  }

  /**
   * Asks Talos. That it will be asked is durable before everything is looked at once more, so that of
   * two machines that both think they are the first, one at least sees the other.
   */
  async #begin(
    client: TalosClient,
    facts: EtcdFacts,
    signal: AbortSignal,
  ): Promise<void> {
    const { life, service } = facts;
    const memory = this.#marker.read();
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

  /**
   * Takes away what an etcd left that was cut off before it had a member: it would never go on, and
   * machined makes no cluster where there is data. The next look finds a blank directory.
   */
  #clear({ life, service }: EtcdFacts, memory: EtcdMemory): void {
    this.#marker.write({ ...memory, cleared: { life, runner: service?.runner ?? "" } });
    removeVoid(this.#options.etcdDir ?? ETCD_DATA);
    this.#say(true, "etcd was cut off before it made the cluster; it is made anew");
  }

  #over(seen: string, facts: EtcdFacts): Next {
    const hazard = hazardOf(facts, this.#options.controlPlanes);
    // Said first: a disk that takes no writes must not keep the page from being right.
    if (hazard === undefined) this.#say(true, `there is a cluster: ${seen}`);
    else this.#say(false, `there is a cluster, but ${hazard}: ${HAZARD}`);
    const memory = this.#marker.read();
    if (memory.seen === undefined) this.#marker.write({ ...memory, seen });
    return "seldom";
  }

  /** Says what keeps the cluster from being made. */
  #wait(ok: boolean, text: string): void {
    this.#say(ok, text, text);
  }

  /**
   * Says it on the status page, and in the log when it is news.
   *
   * @param awaited what keeps the cluster from being made, for whoever waits for it.
   */
  #say(ok: boolean, text: string, awaited?: string): void {
    this.#options.onWait?.(awaited);
    this.#options.part.set(ok, text);
    if (text === this.#said) return;
    this.#said = text;
    this.#options.logger[ok ? "info" : "warn"](`etcd bootstrap: ${text}`);
  }
}
