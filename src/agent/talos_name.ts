import * as v from "valibot";
import { type Clock, describeError, HoldfastError, type Logger, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { RESOURCES, type TalosClient } from "../talos/mod.ts";
import type { Part } from "./listeners.ts";
import type { NodeName } from "./node_name.ts";
import { NODE_NAME } from "./settings.ts";
import { watchTalos } from "./talos_watch.ts";

/** Where the name is kept, among the store's values. */
const KEY = "node-name";

/** Why Talos' word about the name is of no use. */
export type TalosNameReason = "NameUnreadable";

/** What Talos says is no name of a node. */
export class TalosNameError extends HoldfastError<TalosNameReason> {}

const nameSchema = v.pipe(v.string(), v.regex(NODE_NAME));
const specSchema = v.object({ nodename: nameSchema });

/** The name that Talos said in an earlier run; it may be another one now. */
export function keptNodeName(store: Store): string | undefined {
  const { success, output } = v.safeParse(nameSchema, store.records.getValue(KEY));
  return success ? output : undefined;
}

/** What {@linkcode followTalosName} works with. */
export interface TalosNameOptions {
  /** machined's socket. */
  readonly socket: string;
  readonly name: NodeName;
  readonly store: Store;
  readonly part: Part;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/**
 * Learns the name that Kubernetes has for this node from Talos (1.13, Nodenames.kubernetes.talos.dev),
 * until the signal aborts. Talos decides it after the host name, so that it may come late; the host
 * name that the extension sees is that of its start. While machined does not answer, the name that it
 * said in an earlier run counts; while it answers that there is none yet, none does.
 */
export async function followTalosName(
  options: TalosNameOptions,
  signal: AbortSignal,
): Promise<void> {
  const { socket, clock = systemClock } = options;
  const follower = new Follower(options);
  await watchTalos({
    ...{ socket, clock },
    follow: (client, watch) => follower.follow(client, watch),
    complain: (error) => follower.complain(error),
  }, signal);
}

class Follower {
  readonly #options: TalosNameOptions;
  #said = "";

  constructor(options: TalosNameOptions) {
    this.#options = options;
  }

  async follow(client: TalosClient, signal: AbortSignal): Promise<void> {
    // A watch has no limit, and a machined that is stuck is to be noticed.
    const now = await client.resource(RESOURCES.nodename, { signal });
    if (now !== undefined) this.#learn(now.spec);
    const { id, ...kind } = RESOURCES.nodename;
    for await (const event of client.watch(kind, { signal })) {
      if (event.type === "Present" && event.resource.id === id) this.#learn(event.resource.spec);
      // What was known stays: Talos takes it away for a moment only.
      if (event.type === "Synced" && this.#options.name.known === undefined) {
        this.#say(false, "Talos has no name for this node yet; its host name may not be decided");
      }
    }
  }

  complain(error: unknown): void {
    const { name, store } = this.#options;
    const kept = name.known ?? keptNodeName(store);
    const isAnswer = error instanceof TalosNameError;
    if (kept !== undefined && !isAnswer) {
      name.learn(kept);
      return this.#say(true, `${kept}, as Talos said before; ${describeError(error)}`);
    }
    this.#say(false, describeError(error));
  }

  #learn(spec: unknown): void {
    const { name } = this.#options;
    const parsed = v.safeParse(specSchema, spec);
    if (!parsed.success) {
      throw new TalosNameError({
        reason: "NameUnreadable",
        message: "Talos says a name of this node that is none",
        disposition: "wait",
      });
    }
    const { nodename } = parsed.output;
    this.#keep(nodename);
    name.learn(nodename);
    this.#say(true, `${nodename}, as Talos says`);
  }

  /** A disk that takes nothing costs only that. */
  #keep(name: string): void {
    const { store, logger } = this.#options;
    try {
      if (keptNodeName(store) !== name) store.records.setValue(KEY, name);
    } catch (error) {
      logger.warn(`the node's name is not kept: ${describeError(error)}`);
    }
  }

  /** Says it on the status page, and in the log when it is news. */
  #say(ok: boolean, text: string): void {
    this.#options.part.set(ok, text);
    if (text === this.#said) return;
    this.#said = text;
    this.#options.logger[ok ? "info" : "warn"](`node name: ${text}`);
  }
}
