import * as v from "valibot";
import { encodeBase64 } from "./base64.ts";
import { ZarfError } from "./errors.ts";

/** How long Gitea may take to answer, in milliseconds (Zarf 0.84, src/internal/gitea: 10 s). */
const TIMEOUT = 10_000;
/** The most bytes that an answer may have. */
const MAX_ANSWER = 1 << 20;
/** The name of the token (src/internal/gitea/gitea.go). */
const TOKEN_NAME = "zarf-artifact-registry-token";

const TokensSchema = v.array(v.object({ name: v.string() }));
const TokenSchema = v.object({ sha1: v.pipe(v.string(), v.minLength(1)) });

/** Who administers a Gitea, and where. */
export interface GiteaOptions {
  /** `http://10.244.0.5:3000` */
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

/**
 * What Zarf asks of the Gitea that it installs (Zarf 0.84, src/internal/gitea/gitea.go). Unlike Zarf's
 * client it takes no refusal for an answer.
 */
export class Gitea {
  readonly #options: GiteaOptions;

  constructor(options: GiteaOptions) {
    this.#options = options;
  }

  /**
   * Makes a user who may read what it is let in to, and make nothing. One that is there stays.
   *
   * @throws {ZarfError} `GitServerRefused`.
   */
  async createReader(username: string, password: string): Promise<void> {
    const made = await this.#ask("POST", "/api/v1/admin/users", {
      ...{ username, password, email: "zarf-reader@localhost.local", must_change_password: false },
    });
    // It is there.
    if (made.status === 422) return;
    expectGood(made, `make the user ${username}`);
    const path = `/api/v1/admin/users/${encodeURIComponent(username)}`;
    const limits = { max_repo_creation: 0, allow_create_organization: false };
    const changed = await this.#ask("PATCH", path, { login_name: username, ...limits });
    expectGood(changed, `restrict the user ${username}`);
  }

  /**
   * Makes a token for the package registry, in place of one that was there.
   *
   * @throws {ZarfError} `GitServerRefused`.
   */
  async createArtifactToken(): Promise<string> {
    const path = `/api/v1/users/${encodeURIComponent(this.#options.username)}/tokens`;
    const listed = await this.#ask("GET", path);
    expectGood(listed, "list tokens");
    const tokens = v.safeParse(TokensSchema, listed.body);
    if (tokens.success && tokens.output.some(({ name }) => name === TOKEN_NAME)) {
      expectGood(await this.#ask("DELETE", `${path}/${TOKEN_NAME}`), "remove the old token");
    }
    const scopes = ["read:user", "read:package", "write:package"];
    const made = await this.#ask("POST", path, { name: TOKEN_NAME, scopes });
    expectGood(made, "make a token");
    const token = v.safeParse(TokenSchema, made.body);
    if (!token.success) throw refused("it made a token and did not say which");
    return token.output.sha1;
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const { url, username, password } = this.#options;
    const authorization = `Basic ${encodeBase64(`${username}:${password}`)}`;
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { authorization, accept: "application/json", "content-type": "application/json" },
        redirect: "manual",
        signal: AbortSignal.timeout(TIMEOUT),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = (await response.text()).slice(0, MAX_ANSWER);
      return { status: response.status, body: parsed(text) };
    } catch (cause) {
      throw new ZarfError({
        reason: "GitServerRefused",
        message: `the git server at ${url} does not answer`,
        disposition: "retry",
        cause,
      });
    }
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function expectGood({ status }: Answer, what: string): void {
  if (status < 200 || status > 299) throw refused(`it answered ${status} when told to ${what}`);
}

function refused(why: string): ZarfError {
  return new ZarfError({
    reason: "GitServerRefused",
    message: `the git server cannot be set up: ${why}`,
    disposition: "retry",
  });
}
