import { HoldfastError } from "../../src/std/mod.ts";
import { pause } from "./figures.ts";

/** The example application does not answer as it should. */
export class AnswerError extends HoldfastError<"NoAnswer"> {}

/** What the application said at one node's address. */
export interface Answer {
  readonly url: string;
  readonly text: string;
}

/** Milliseconds until every node must answer: kube-proxy learns of a ready pod in less. */
const TIMEOUT = 20_000;
const RETRY_INTERVAL = 200;
const REQUEST_TIMEOUT = 2_000;
/** What examples/hello says: who it is, on which pod and node. */
const EXPECTED = /^hello \d+\.\d+\.\d+ from pod \S+ on node \S+: /;

/**
 * Fetches the example's answer from every node's address and node port.
 *
 * @param kubectl runs kubectl and gives what it printed.
 * @throws {AnswerError} when one node does not answer in time, or something else answers.
 */
export async function exampleAnswers(
  kubectl: (args: readonly string[]) => Promise<string>,
  signal: AbortSignal,
): Promise<Answer[]> {
  const addresses = words(
    await kubectl([
      ...["get", "nodes", "-o"],
      'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}',
    ]),
  );
  const port = await kubectl([
    ...["-n", "hello", "get", "service", "hello", "-o", "jsonpath={.spec.ports[0].nodePort}"],
  ]);
  if (addresses.length === 0 || !/^\d+$/.test(port.trim())) {
    throw new AnswerError({
      reason: "NoAnswer",
      message: `the application has no address: nodes "${addresses}", port "${port}"`,
    });
  }
  return await Promise.all(addresses.map((address) => {
    const host = address.includes(":") ? `[${address}]` : address;
    return answerOf(`http://${host}:${port.trim()}/`, signal);
  }));
}

/** @throws {AnswerError} when what is expected does not come in time. */
export async function answerOf(
  url: string,
  signal: AbortSignal,
  timeout = TIMEOUT,
): Promise<Answer> {
  const deadline = performance.now() + timeout;
  let last = "it was not asked";
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT) });
      const text = (await response.text()).trim();
      if (response.ok && EXPECTED.test(text)) return { url, text };
      last = `it said ${response.status} ${JSON.stringify(text.slice(0, 200))}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await pause(RETRY_INTERVAL, signal);
  }
  throw new AnswerError({ reason: "NoAnswer", message: `${url} does not answer: ${last}` });
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
