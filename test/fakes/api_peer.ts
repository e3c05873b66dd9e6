/**
 * An HTTPS server on loopback in the place of an API server, for tests of what a real one does only
 * rarely: hanging, breaking off, sending what it should not.
 *
 * @module
 */
import { KubeClient, type KubeClientOptions } from "../../src/kube/mod.ts";

/** One request that arrived. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: string;
}

/** Answers a request. */
export type Answer = (request: SeenRequest, raw: Request) => Response | Promise<Response>;

const FIXTURES = new URL("../fixtures/kube/", import.meta.url);

/** A test certificate or key in PEM. */
export function pem(name: "ca.crt" | "server.crt" | "server.key" | "client.crt" | "client.key") {
  return Deno.readTextFileSync(new URL(name, FIXTURES));
}

/** A server whose answers the test decides, and a client of it. */
export class ApiPeer implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  readonly client: KubeClient;
  readonly url: string;
  answer: Answer;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();

  constructor(answer: Answer, options: KubeClientOptions = {}, port = 0) {
    this.answer = answer;
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port,
      cert: pem("server.crt"),
      key: pem("server.key"),
      signal: this.#stop.signal,
      onListen() {},
      onError: () => new Response("the test's answer failed", { status: 500 }),
    }, (request) => this.#handle(request));
    this.url = `https://127.0.0.1:${this.#server.addr.port}`;
    this.client = KubeClient.fromAccess({ server: this.url, ca: pem("ca.crt") }, options);
  }

  get port(): number {
    return this.#server.addr.port;
  }

  /** A kubeconfig that leads here, as JSON, which is YAML. */
  get kubeconfig(): string {
    const cluster = { server: this.url, "certificate-authority-data": btoa(pem("ca.crt")) };
    return JSON.stringify({
      "current-context": "peer",
      clusters: [{ name: "peer", cluster }],
      contexts: [{ name: "peer", context: { cluster: "peer", user: "peer" } }],
      users: [{ name: "peer", user: {} }],
    });
  }

  /** Ends the server at once; the client stays. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#server.finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.stop();
  }

  async #handle(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const { method, headers } = request;
    const body = await request.text();
    const seen = { method, path: pathname, query: searchParams, headers, body };
    this.seen.push(seen);
    return await this.answer(seen, request);
  }
}

/** An answer that never comes; it ends with the client's patience. */
export function silence(raw: Request): Promise<Response> {
  const { promise, resolve } = Promise.withResolvers<Response>();
  raw.signal.addEventListener("abort", () => resolve(new Response()));
  return promise;
}

/** A body that is written piece by piece. */
export class Pipe {
  readonly stream: ReadableStream<Uint8Array>;
  readonly cancelled: Promise<void>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.cancelled = promise;
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => resolve(),
    });
  }

  write(data: string | Uint8Array): void {
    this.#controller?.enqueue(typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /** Writes an event of a watch. */
  event(type: string, object: unknown): void {
    this.write(JSON.stringify({ type, object }) + "\n");
  }

  close(): void {
    this.#controller?.close();
  }

  /** The connection is lost in the middle of the body. */
  breakOff(): void {
    this.#controller?.error(new Error("broken off by the test"));
  }
}

/** A `Status`, as the API server explains a refusal. */
export function status(
  code: number,
  reason: string,
  message = reason,
  details?: unknown,
): Response {
  const body = {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    code,
    reason,
    message,
    details,
  };
  return Response.json(body, { status: code });
}

/** A ConfigMap as it comes from a server. */
export function configMap(name: string, resourceVersion = "1", data: Record<string, string> = {}) {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "a", name, resourceVersion },
    data,
  };
}
