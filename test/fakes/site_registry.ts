/**
 * A registry that a site has itself, as far as one signs in to it and pushes: by HTTP or TLS with an
 * authority of its own, with a password or with tokens as Harbor and GitLab want them.
 *
 * @module
 */
import { digestOf } from "../../src/std/mod.ts";

/** Who may push. */
export const SITE_USER = { username: "site-push", password: "geheim" } as const;

/** How a {@linkcode SiteRegistry} is run. */
export interface SiteRegistryOptions {
  readonly tls?: SiteCertificate;
  /** Whether it wants tokens; each may be used so many times. */
  readonly tokens?: number;
}

/** A certificate for 127.0.0.1, and the file with who signed it. */
export interface SiteCertificate {
  readonly cert: string;
  readonly key: string;
  readonly authority: string;
}

/** Makes a certificate in a directory. */
export async function siteCertificate(
  directory: string,
  ip = "127.0.0.1",
): Promise<SiteCertificate> {
  const openssl = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: directory })
      .output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  };
  await Deno.writeTextFile(`${directory}/openssl.cnf`, "[req]\ndistinguished_name=dn\n[dn]\n");
  const request = (name: string) => [
    ...["req", "-x509", "-config", "openssl.cnf", "-newkey", "ec", "-pkeyopt"],
    ...["ec_paramgen_curve:P-256", "-nodes", "-days", "3650"],
    ...["-keyout", `${name}.key`, "-out", `${name}.crt`],
  ];
  await openssl(...request("ca"), "-subj=/CN=site", "-addext", "basicConstraints=critical,CA:TRUE");
  await openssl(
    ...[...request("site"), "-CA", "ca.crt", "-CAkey", "ca.key", "-subj=/CN=registry"],
    ...["-addext", `subjectAltName=IP:${ip}`, "-addext", "basicConstraints=CA:FALSE"],
  );
  return {
    cert: await Deno.readTextFile(`${directory}/site.crt`),
    key: await Deno.readTextFile(`${directory}/site.key`),
    authority: `${directory}/ca.crt`,
  };
}

/** See the module's comment. */
export class SiteRegistry implements AsyncDisposable {
  /** Paths below `/v2/` of what was put, and its digest. */
  readonly put = new Map<string, string>();
  /** What tokens were asked for. */
  readonly asked: string[] = [];
  /** How often somebody came without being let in. */
  turnedAway = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #options: SiteRegistryOptions;
  readonly #tokens = new Map<string, { scopes: readonly string[]; left: number }>();

  constructor(options: SiteRegistryOptions = {}) {
    this.#options = options;
    const listen = { hostname: "127.0.0.1", port: 0, onListen() {} };
    const handler = (request: Request) => this.#answer(request);
    const { tls } = options;
    this.#server = tls === undefined
      ? Deno.serve(listen, handler)
      : Deno.serve({ ...listen, cert: tls.cert, key: tls.key }, handler);
  }

  /** `127.0.0.1:40000` */
  get address(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const given = request.headers.get("authorization") ?? "";
    const { username, password } = SITE_USER;
    const isUser = given === `Basic ${btoa(`${username}:${password}`)}`;
    const body = new Uint8Array(await request.arrayBuffer());
    if (url.pathname === "/token") {
      return isUser ? this.#token(url) : new Response("", { status: 403 });
    }
    const path = url.pathname.slice("/v2/".length);
    if (!(this.#options.tokens === undefined ? isUser : this.#mayUse(given, path))) {
      this.turnedAway++;
      return new Response("", { status: 401, headers: this.#challenge() });
    }
    return this.#work(request.method, path, url, body);
  }

  #challenge(): Record<string, string> {
    if (this.#options.tokens === undefined) return { "www-authenticate": 'Basic realm="site"' };
    const scheme = this.#options.tls === undefined ? "http" : "https";
    const realm = `${scheme}://${this.address}/token`;
    return { "www-authenticate": `Bearer realm="${realm}",service="site registry"` };
  }

  #token(url: URL): Response {
    if (url.searchParams.get("service") !== "site registry") {
      return new Response("", { status: 400 });
    }
    const scopes = url.searchParams.getAll("scope");
    this.asked.push(scopes.join(" "));
    const token = crypto.randomUUID();
    this.#tokens.set(token, { scopes, left: this.#options.tokens ?? 0 });
    return Response.json({ token });
  }

  #mayUse(given: string, path: string): boolean {
    const token = this.#tokens.get(given.replace(/^Bearer /, ""));
    if (token === undefined || token.left-- <= 0) return false;
    const [, name] = /^(.+?)\/(?:blobs|manifests)\//.exec(path) ?? [];
    return name === undefined || token.scopes.includes(`repository:${name}:pull,push`);
  }

  #work(method: string, path: string, url: URL, body: Uint8Array): Response {
    if (path === "") return Response.json({});
    if (method === "HEAD") {
      const digest = this.put.get(path);
      return digest === undefined
        ? new Response(null, { status: 404 })
        : new Response(null, { headers: { "docker-content-digest": digest } });
    }
    if (method === "POST") {
      const location = `https://elsewhere.example/v2/${path}1?state=x`;
      return new Response("", { status: 202, headers: { location } });
    }
    const digest = url.searchParams.get("digest");
    const name = digest === null ? path : path.replace(/uploads\/.*$/, digest);
    this.put.set(name, digestOf(body));
    return new Response("", { status: 201 });
  }
}
