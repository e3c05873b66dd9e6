import { clientEnvironment, GIT, git } from "./git.ts";

/** Milliseconds for one request. */
const TIMEOUT = 60_000;

/** A request that a {@linkcode PushServer} has seen. */
export interface SeenPush {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** How a {@linkcode PushServer} listens. */
export interface PushServerOptions {
  /** @default "127.0.0.1" */
  readonly hostname?: string;
  /** @default any */
  readonly port?: number;
  /** Answers in its place where it gives something. */
  readonly more?: (request: Request) => Promise<Response | undefined>;
}

/**
 * A git server that is pushed to, as Gitea is: the real `git receive-pack` and `git upload-pack`, a
 * repository that is made by the first push, and the one call of Gitea's API that Zarf uses.
 */
export class PushServer implements AsyncDisposable {
  readonly base: string;
  readonly seen: SeenPush[] = [];
  /** By repository: who may read it. */
  readonly readers = new Map<string, string[]>();
  /** The status for so many requests more, in place of an answer. */
  failing: { left: number; status: number } = { left: 0, status: 503 };
  readonly #directory: string;
  readonly #authorization: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(
    directory: string,
    username: string,
    password: string,
    options: PushServerOptions = {},
  ) {
    const { hostname = "127.0.0.1", port = 0, more } = options;
    this.#directory = directory;
    this.#authorization = `Basic ${btoa(`${username}:${password}`)}`;
    this.#server = Deno.serve(
      { hostname, port, onListen() {} },
      async (request) => {
        const answer = await more?.(request) ?? await this.#answer(request);
        const { pathname: path, search } = new URL(request.url);
        this.seen.push({ method: request.method, path: path + search, status: answer.status });
        return answer;
      },
    );
    this.base = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Where a repository lies, whether or not it is there. */
  directoryOf(owner: string, name: string): string {
    return `${this.#directory}/${owner}/${name}.git`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    if (request.headers.get("authorization") !== this.#authorization) {
      const headers = { "www-authenticate": "Basic" };
      return new Response("who are you?\n", { status: 401, headers });
    }
    if (this.failing.left > 0) {
      this.failing.left--;
      await request.body?.cancel();
      return new Response("not now\n", { status: this.failing.status });
    }
    const { pathname, searchParams } = new URL(request.url);
    const api = /^\/api\/v1\/repos\/([^/]+)\/([^/]+)\/collaborators\/([^/]+)$/.exec(pathname);
    if (api !== null) return await this.#collaborate(request, api);
    const [, owner = "", name = "", rest = ""] =
      /^\/([^/]+)\/([^/]+?)(?:\.git)?\/(info\/refs|git-\w+-pack)$/.exec(pathname) ?? [];
    const service = searchParams.get("service") ?? rest;
    const directory = this.directoryOf(owner, name);
    const isThere = await Deno.stat(directory).then(() => true, () => false);
    if (!isThere && service !== "git-receive-pack") return new Response("none\n", { status: 404 });
    if (!isThere) await git(this.#directory, "init", "--quiet", "--bare", directory);
    return await this.#serve(request, service, directory, rest === "info/refs");
  }

  async #collaborate(request: Request, [, , name = "", user = ""]: string[]): Promise<Response> {
    const { permission } = await request.json();
    if (permission !== "read") return new Response("no\n", { status: 422 });
    this.readers.set(name, [...this.readers.get(name) ?? [], user]);
    return new Response(null, { status: 204 });
  }

  async #serve(
    request: Request,
    service: string,
    directory: string,
    advertise: boolean,
  ): Promise<Response> {
    const flags = ["--stateless-rpc", ...(advertise ? ["--http-backend-info-refs"] : [])];
    const child = new Deno.Command(GIT.git, {
      args: [service.replace("git-", ""), ...flags, directory],
      env: clientEnvironment(directory),
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(TIMEOUT),
    }).spawn();
    const packed = request.headers.get("content-encoding") === "gzip";
    const body = packed
      ? request.body?.pipeThrough(
        new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>,
      )
      : request.body;
    await (body ?? new Blob([]).stream()).pipeTo(child.stdin).catch(() => {});
    const { stdout } = await child.output();
    const line = `# service=${service}\n`;
    const head = advertise ? `${(line.length + 4).toString(16).padStart(4, "0")}${line}0000` : "";
    return new Response(new Blob([head, stdout]), {
      headers: {
        "content-type": `application/x-${service}-${advertise ? "advertisement" : "result"}`,
      },
    });
  }
}
