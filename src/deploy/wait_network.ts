import { STATUS_CODES } from "node:http";
import { type Clock, machineCertificates, oneLine, systemClock } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { cancelled } from "./wait.ts";

/** Milliseconds between two attempts (Zarf 0.84, src/pkg/wait/wait.go). */
const POLL_INTERVAL = 1_000;
/** Milliseconds for one answer (there, too: a little less than the interval). */
const REQUEST_TIMEOUT = 995;

/** What is waited for on the network; the fields of Zarf's `wait.network`. */
export interface NetworkWait {
  /** `tcp`, `http` or `https`. */
  readonly protocol: string;
  /** `host:port`, for HTTP with a path if there is one. */
  readonly address: string;
  /** The HTTP status that is waited for; 0 for any from 200 to 299. */
  readonly code: number;
}

/** How it is waited. */
export interface NetworkWaitOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Milliseconds for one answer. @default 995 */
  readonly requestTimeout?: number;
}

/**
 * Waits until somebody listens or answers with a status, as Zarf's wait actions and
 * `zarf tools wait-for` do (Zarf 0.84, src/pkg/wait/wait.go). Certificates are verified against what
 * the runtime and the machine trust.
 *
 * @throws {DeployError} `TimedOut`, with what the last attempt met; `PackageBroken` for a protocol, an
 * address or a status that there is not; `Cancelled`.
 */
export async function waitForNetwork(
  wait: NetworkWait,
  options: NetworkWaitOptions,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  const deadline = clock.monotonic() + options.timeout;
  using probe = probeOf(wait);
  while (true) {
    const limit = AbortSignal.timeout(options.requestTimeout ?? REQUEST_TIMEOUT);
    const signals = options.signal === undefined ? [limit] : [limit, options.signal];
    const missing = await attempt(probe, AbortSignal.any(signals));
    if (missing === undefined) return;
    if (options.signal?.aborted) throw cancelled(options.signal);
    if (clock.monotonic() >= deadline) {
      throw new DeployError({
        reason: "TimedOut",
        message: `${wait.protocol} ${wait.address} not so within ` +
          `${Math.round(options.timeout / 1000)} s: ${missing}`,
        disposition: "retry",
      });
    }
    await clock.sleep(POLL_INTERVAL, options.signal);
  }
}

interface Probe extends Disposable {
  /** What is missing, if anything; what it throws is missing, too. */
  look(signal: AbortSignal): Promise<string | undefined>;
}

async function attempt(probe: Probe, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await probe.look(signal);
  } catch (error) {
    return signal.aborted
      ? "there was no answer in time"
      : oneLine(error instanceof Error ? error.message : String(error));
  }
}

function probeOf({ protocol, address, code }: NetworkWait): Probe {
  if (protocol === "tcp") return new TcpProbe(address);
  if (protocol === "http" || protocol === "https") return new HttpProbe(protocol, address, code);
  throw broken(`"${protocol}" is no protocol to wait for; tcp, http and https are`);
}

class TcpProbe implements Probe {
  readonly #target: { readonly hostname: string; readonly port: number };

  constructor(address: string) {
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address) ?? [];
    if (port === undefined) throw broken(`"${address}" is no HOST:PORT`);
    // Nothing before the colon means this machine (Go, net.Dial).
    this.#target = { hostname: bracketed ?? (plain || "localhost"), port: Number(port) };
  }

  async look(signal: AbortSignal): Promise<undefined> {
    using _connection = await Deno.connect({ ...this.#target, signal });
  }

  [Symbol.dispose](): void {}
}

class HttpProbe implements Probe {
  readonly #url: string;
  readonly #code: number;
  readonly #client: Deno.HttpClient;

  constructor(protocol: string, address: string, code: number) {
    this.#url = `${protocol}://${address}`;
    this.#code = code;
    if (code !== 0 && STATUS_CODES[code] === undefined) throw broken(`${code} is no HTTP status`);
    if (!URL.canParse(this.#url)) throw broken(`"${this.#url}" is no address`);
    this.#client = Deno.createHttpClient({ caCerts: machineCertificates() });
  }

  async look(signal: AbortSignal): Promise<string | undefined> {
    const response = await fetch(this.#url, { signal, client: this.#client });
    await response.body?.cancel();
    const met = this.#code === 0 ? response.ok : response.status === this.#code;
    return met ? undefined : `the status is ${response.status}`;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function broken(message: string): DeployError {
  return new DeployError({ reason: "PackageBroken", message });
}
