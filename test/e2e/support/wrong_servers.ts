import { ApiPeer, pem, silence } from "../../fakes/api_peer.ts";
import { freeAddress } from "../../fakes/free_address.ts";

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
  readonly #peers: ApiPeer[] = [];

  /** Each in its turn; those before go on. */
  *all(): Generator<WrongServer> {
    const nowhere = kubeconfigOf(`https://${freeAddress()}`);
    yield {
      name: "nobody listens",
      kubeconfig: nowhere,
      says: /no connection to .*refused/i,
      isQuick: true,
    };
    for (const [name, answer, says, isQuick] of ANSWERS) {
      const peer = new ApiPeer(answer);
      this.#peers.push(peer);
      yield { name, kubeconfig: peer.kubeconfig, says, isQuick };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]();
  }
}

const ANSWERS: readonly (readonly [
  string,
  ConstructorParameters<typeof ApiPeer>[0],
  RegExp,
  boolean,
])[] = [
  ["it is something else", () => new Response("<html>a router</html>"), /not a JSON object/, true],
  [
    "it is a portal",
    () => new Response("sign in", { status: 403, headers: { "content-type": "text/html" } }),
    /web page \(403\).*no API server answers so/,
    false,
  ],
  [
    "it leads elsewhere",
    () => Response.redirect("http://portal.example/", 302),
    /leads elsewhere \(302\), to http:\/\/portal\.example\//,
    false,
  ],
  ["it is another API", () => Response.json({ status: "up" }), /says no gitVersion/, false],
  ["it never stops", endless, /larger than \d+ bytes/, false],
  ["it fails", () => new Response("etcd is away", { status: 500 }), /500: etcd is away/, false],
  ["it takes nobody", () => new Response("", { status: 401 }), /401/, false],
  ["it hangs", (_, raw) => silence(raw), /no answer from .* within \d+ ms/, false],
];

function endless(): Response {
  const bytes = new Uint8Array(8 << 10).fill(32);
  return new Response(new ReadableStream({ pull: (to) => to.enqueue(bytes) }));
}

function kubeconfigOf(server: string): string {
  const cluster = { server, "certificate-authority-data": btoa(pem("ca.crt")) };
  return JSON.stringify({
    "current-context": "c",
    clusters: [{ name: "c", cluster }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    users: [{ name: "u", user: {} }],
  });
}
