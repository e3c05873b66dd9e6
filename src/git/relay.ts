import { type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";

/** On a request that another agent has passed on: it is not passed on again. */
export const RELAYED_HEADER = "holdfast-relayed";
/** How long the other agent may take until it answers, in milliseconds: it lists references only. */
const INFO_TIMEOUT = 10_000;
/** The same where it may have to put a pack together first. */
const RPC_TIMEOUT = 5 * 60_000;

/** What of a request is passed on. */
const REQUEST_HEADERS = ["authorization", "git-protocol", "content-type", "content-encoding"];
/** What of the answer is. */
const RESPONSE_HEADERS = ["content-type", "cache-control", "retry-after"];

/** For how long an agent that did not answer is not asked, in milliseconds. */
const DOWN_TIME = 30_000;

/** Passes requests on to other agents. */
export class Relay {
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** Until when each agent is not asked, by monotonic time. */
  readonly #down = new Map<string, number>();

  constructor(logger: Logger, clock: Clock = systemClock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /**
   * Passes a request on to the agent at `origin` (`http://host:port`), as it is, and gives its answer
   * as it comes; undefined when it does not answer and the request can still be served otherwise.
   */
  async pass(request: Request, origin: string): Promise<Response | undefined> {
    if ((this.#down.get(origin) ?? 0) > this.#clock.monotonic()) return undefined;
    try {
      const answer = await ask(request, origin);
      this.#down.delete(origin);
      return answer;
    } catch (error) {
      if (!request.signal.aborted) this.#gone(origin, error);
      return request.body === null
        ? undefined
        : new Response("the node that has the repository does not answer\n", { status: 502 });
    }
  }

  /** Requests belong together: the next one of a client must not go elsewhere than this one. */
  #gone(origin: string, error: unknown): void {
    this.#down.set(origin, this.#clock.monotonic() + DOWN_TIME);
    this.#logger.warn("the node that has a git repository does not answer", {
      ...{ node: origin, error: describeError(error) },
    });
  }
}

async function ask(request: Request, origin: string): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers({ [RELAYED_HEADER]: "1" });
  copy(request.headers, headers, REQUEST_HEADERS);
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  request.signal.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(onAbort, request.body === null ? INFO_TIMEOUT : RPC_TIMEOUT);
  try {
    const answer = await fetch(`${origin}${pathname}${search}`, {
      ...{ method: request.method, body: request.body, headers },
      ...{ redirect: "error", signal: stop.signal },
    });
    const kept = new Headers();
    copy(answer.headers, kept, RESPONSE_HEADERS);
    return new Response(answer.body, { status: answer.status, headers: kept });
  } finally {
    clearTimeout(timer);
  }
}

function copy(from: Headers, to: Headers, names: readonly string[]): void {
  for (const name of names) {
    const value = from.get(name);
    if (value !== null) to.set(name, value);
  }
}
