/** A token of a {@linkcode GiteaPeer}. */
export interface PeerToken {
  readonly sha1: string;
  readonly scopes: readonly string[];
}

/**
 * The calls of Gitea's API that Zarf makes of the Gitea that it installs, answered as Gitea 1.24
 * answers them.
 */
export class GiteaApi {
  /** By name, with everything that was said of them. */
  readonly users = new Map<string, Readonly<Record<string, unknown>>>();
  /** Of the administrator, by name. */
  readonly tokens = new Map<string, PeerToken>();
  readonly #owner: string;
  readonly #authorization: string;
  #made = 0;

  constructor(owner: string, password: string) {
    this.#owner = owner;
    this.#authorization = `Basic ${btoa(`${owner}:${password}`)}`;
  }

  /** The answer to a call; undefined when it is none of these. */
  async answer(request: Request): Promise<Response | undefined> {
    const { pathname } = new URL(request.url);
    if (!/^\/api\/v1\/(admin\/)?users\b/.test(pathname)) return undefined;
    const body = await request.text();
    if (request.headers.get("authorization") !== this.#authorization) {
      return Response.json({ message: "user does not exist" }, { status: 401 });
    }
    return this.#known(request.method, pathname, body === "" ? {} : JSON.parse(body));
  }

  #known(method: string, path: string, body: Record<string, unknown>): Response {
    const [, name = ""] = /^\/api\/v1\/admin\/users\/([^/]+)$/.exec(path) ?? [];
    const tokens = `/api/v1/users/${this.#owner}/tokens`;
    if (method === "POST" && path === "/api/v1/admin/users") return this.#createUser(body);
    if (method === "PATCH" && name !== "") return this.#changeUser(name, body);
    if (method === "GET" && path === tokens) {
      return Response.json([...this.tokens.keys()].map((each) => ({ name: each })));
    }
    if (method === "POST" && path === tokens) return this.#createToken(body);
    if (method === "DELETE" && path.startsWith(`${tokens}/`)) {
      const found = this.tokens.delete(path.slice(tokens.length + 1));
      return new Response(null, { status: found ? 204 : 404 });
    }
    return Response.json({ message: "Not Found" }, { status: 404 });
  }

  #createUser(body: Record<string, unknown>): Response {
    const name = String(body["username"]);
    if (this.users.has(name)) return Response.json({ message: "exists" }, { status: 422 });
    this.users.set(name, body);
    return Response.json({ login: name }, { status: 201 });
  }

  #changeUser(name: string, { login_name: _, ...body }: Record<string, unknown>): Response {
    const user = this.users.get(name);
    if (user === undefined) return Response.json({ message: "none" }, { status: 404 });
    this.users.set(name, { ...user, ...body });
    return Response.json({ login: name });
  }

  #createToken({ name, scopes }: Record<string, unknown>): Response {
    if (this.tokens.has(String(name))) {
      return Response.json({ message: "name is used" }, { status: 400 });
    }
    const sha1 = String(++this.#made).padStart(40, "a");
    this.tokens.set(String(name), { sha1, scopes: scopes as string[] });
    return Response.json({ name, sha1 }, { status: 201 });
  }
}

/** A {@linkcode GiteaApi} that listens. */
export class GiteaPeer extends GiteaApi implements AsyncDisposable {
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(owner: string, password: string) {
    super(owner, password);
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => await this.answer(request) ?? new Response(null, { status: 404 }),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
