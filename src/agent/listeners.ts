import {
  type Clock,
  Complaints,
  describeError,
  dispositionOf,
  type HttpListening,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import { hostOf } from "./node_address.ts";

/** Milliseconds between two attempts to open a listener. */
const RETRY_INTERVAL = 5_000;

/** How one part of the agent is, for the status page. */
export class Part {
  readonly name: string;
  #ok: boolean;
  #message: string;

  constructor(name: string, message: string, ok = false) {
    this.name = name;
    this.#ok = ok;
    this.#message = message;
  }

  get ok(): boolean {
    return this.#ok;
  }

  get message(): string {
    return this.#message;
  }

  /** Says how it is from now on. */
  set(ok: boolean, message: string): void {
    this.#ok = ok;
    this.#message = message;
  }
}

/**
 * Keeps a listener open until the signal aborts: a taken port is tried again, and a listener that
 * ends by itself is opened again. Each new reason is logged once.
 *
 * @throws what is terminal.
 */
export async function keepListening(
  part: Part,
  open: (signal: AbortSignal) => HttpListening,
  options: { readonly logger: Logger; readonly signal: AbortSignal; readonly clock?: Clock },
): Promise<void> {
  const { logger, signal, clock = systemClock } = options;
  const complaints = new Complaints((text) => logger.error(text));
  while (!signal.aborted) {
    try {
      const server = open(signal);
      complaints.settle();
      const address = `${hostOf(server.hostname)}:${server.port}`;
      part.set(true, `listens on ${address}`);
      logger.info(`${part.name} listens`, { address });
      await server.finished;
      if (signal.aborted) return;
      part.set(false, "its listener ended and is opened again");
    } catch (error) {
      if (dispositionOf(error) === "terminal") throw error;
      const text = describeError(error);
      part.set(false, text);
      complaints.say(text);
    }
    await clock.sleep(RETRY_INTERVAL, signal);
  }
}
