import { ApiPeer, pem, silence } from "../../fakes/api_peer.ts";
import { freeAddress } from "./local_agent.ts";

/** A server that is no API server, and what is said of it. */
export interface WrongServer {
  readonly name: string;
  /** That leads there. */
  readonly kubeconfig: string;
  readonly says: RegExp;
  /** Whether the reconciler comes to it soon: its pauses grow. */
  readonly isQuick?: boolean;
}

/** In the place of an API server: what refuses, hangs, or is something else. */
export class WrongServers implements AsyncDisposable {
  #peer: ApiPeer | undefined;

  /** Each in its turn; it has ended when the next one is asked for. */
  async *all(): AsyncGenerator<WrongServer> {
    const nowhere = kubeconfigOf(`https://${freeAddress()}`);
    yield {
      name: "nobody listens",
      kubeconfig: nowhere,
      says: /no connection to .*refused/i,
      isQuick: true,
    };
    for (const [name, answer, says, isQuick] of ANSWERS) {
      this.#peer = new ApiPeer(answer);
      yield { name, kubeconfig: this.#peer.kubeconfig, says, isQuick };
      await this[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#peer?.[Symbol.asyncDispose]();
    this.#peer = undefined;
  }
}

const ANSWERS: readonly (readonly [
  string,
  ConstructorParameters<typeof ApiPeer>[0],
  RegExp,
  boolean,
])[] = [
  ["it is something else", () => new Response("<html>a router</html>"), /not a JSON object/, true],
  ["it fails", () => new Response("etcd is away", { status: 500 }), /500: etcd is away/, false],
  ["it takes nobody", () => new Response("", { status: 401 }), /401/, false],
  ["it hangs", (_, raw) => silence(raw), /no answer from .* within \d+ ms/, false],
];

function kubeconfigOf(server: string): string {
  const cluster = { server, "certificate-authority-data": btoa(pem("ca.crt")) };
  return JSON.stringify({
    "current-context": "c",
    clusters: [{ name: "c", cluster }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    users: [{ name: "u", user: {} }],
  });
}
