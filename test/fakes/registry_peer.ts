/**
 * A registry in memory on port 5000 of a loopback address of its own, where code that was told a
 * Service's address looks for it: the part of the distribution API that a push uses, with a password.
 * The real distribution is pushed to in test/e2e.
 *
 * @module
 */
import { digestOf } from "../../src/std/mod.ts";
import { REGISTRY_PORT } from "../../src/zarf/mod.ts";

/** See the module's comment. */
export class RegistryPeer implements AsyncDisposable {
  /** The address in the place of the Service's. */
  readonly ip: string;
  /** By digest. */
  readonly blobs = new Map<string, Uint8Array>();
  /** Digest by `repository:tag`. */
  readonly tags = new Map<string, string>();
  /** Requests that changed something. */
  readonly writes: string[] = [];
  /** Whether a pod runs behind the address. */
  up = false;
  /** Who may do everything: `user:password`. */
  users: () => readonly string[] = () => [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    // Tests that run at once must not meet: each process and each peer has an address.
    const at = (Deno.pid * 61 + RegistryPeer.#count++) % 60_000;
    this.ip = `127.77.${at >> 8}.${(at & 255) || 1}`;
    this.#server = Deno.serve(
      { hostname: this.ip, port: REGISTRY_PORT, onListen() {} },
      (request) => this.#answer(request),
    );
  }

  static #count = 0;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    if (!this.up) return new Response("", { status: 503 });
    const given = request.headers.get("authorization")?.replace(/^Basic /, "") ?? "";
    if (!this.users().includes(atob(given))) return new Response("", { status: 401 });
    const { method } = request;
    const { pathname, searchParams } = new URL(request.url);
    const body = new Uint8Array(await request.arrayBuffer());
    if (pathname === "/v2/") return new Response("{}");
    const [, repository = "", kind, reference = ""] =
      /^\/v2\/(.+)\/(blobs|manifests)\/(.*)$/.exec(pathname) ?? [];
    if (method === "POST") {
      return new Response("", { status: 202, headers: { location: `${pathname}1` } });
    }
    if (method === "PUT") {
      const digest = digestOf(body);
      const name = kind === "blobs" ? searchParams.get("digest") ?? "" : reference;
      if (kind === "blobs" && name !== digest) return new Response("", { status: 400 });
      if (kind === "manifests") this.tags.set(`${repository}:${reference}`, digest);
      this.blobs.set(digest, body);
      this.writes.push(`${kind} ${kind === "blobs" ? digest : name}`);
      return new Response("", { status: 201, headers: { "docker-content-digest": digest } });
    }
    const digest = this.tags.get(`${repository}:${reference}`) ?? reference;
    const found = this.blobs.get(digest);
    if (found === undefined) return new Response("", { status: 404 });
    const headers = {
      "docker-content-digest": digest,
      "content-type": "application/vnd.oci.image.manifest.v1+json",
      "content-length": String(found.length),
    };
    return new Response(method === "HEAD" ? null : found as BodyInit, { headers });
  }
}
