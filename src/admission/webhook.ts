import * as v from "valibot";
import type { Logger } from "../std/mod.ts";
import { AdmissionReviewSchema, answerOf, type Rule, type Verdict } from "./review.ts";

/** What the webhook did since it started. */
export interface AdmissionCounters {
  /** Allowed with changes. */
  patched: number;
  /** Allowed as they were. */
  unchanged: number;
  /** Refused. */
  denied: number;
  /** Requests that were no review. */
  invalid: number;
  /** Time spent on reviews, in seconds. */
  seconds: number;
}

/** All zero. */
export function newCounters(): AdmissionCounters {
  return { patched: 0, unchanged: 0, denied: 0, invalid: 0, seconds: 0 };
}

/** What a webhook is made of. */
export interface WebhookOptions {
  readonly rules: readonly Rule[];
  readonly registryAddress: () => string;
  readonly counters: AdmissionCounters;
  readonly logger: Logger;
}

/** The largest review that is read, in bytes: an object and its predecessor, 1.5 MiB each. */
const MAX_BODY = 3 << 20;

/** A request that is no review, and the HTTP status that says so. */
class BadRequest extends Error {
  constructor(readonly status: number, message: string, readonly headers: HeadersInit = {}) {
    super(message);
  }
}

/** `POST <rule's path>` and `GET /healthz`. */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #rules: ReadonlyMap<string, Rule>;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#rules = new Map(options.rules.map((rule) => [rule.path, rule]));
  }

  /** Answers one HTTP request. */
  async handle(request: Request): Promise<Response> {
    const { counters } = this.#options;
    const started = performance.now();
    try {
      const { pathname } = new URL(request.url);
      if (pathname === "/healthz") return health(request);
      const rule = this.#rules.get(pathname);
      if (rule === undefined) throw new BadRequest(404, "there is nothing here");
      return await this.#review(request, rule);
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      counters.invalid++;
      await request.body?.cancel().catch(() => {});
      return new Response(`${error.message}\n`, { status: error.status, headers: error.headers });
    } finally {
      counters.seconds += (performance.now() - started) / 1000;
    }
  }

  async #review(request: Request, rule: Rule): Promise<Response> {
    if (request.method !== "POST") {
      throw new BadRequest(405, "a review is posted", { allow: "POST" });
    }
    const [type = ""] = (request.headers.get("content-type") ?? "").split(";");
    if (type.trim().toLowerCase() !== "application/json") {
      throw new BadRequest(415, "a review is application/json");
    }
    const parsed = v.safeParse(AdmissionReviewSchema, parseJson(await readBody(request)));
    if (!parsed.success) {
      const [issue] = parsed.issues;
      throw new BadRequest(400, `not an AdmissionReview: ${v.getDotPath(issue) ?? "it"}`);
    }
    const review = parsed.output.request;
    const verdict = this.#judge(rule, review);
    if (!verdict.allowed) {
      this.#options.logger.warn("an object is refused", {
        namespace: review.namespace,
        why: verdict.message,
      });
    }
    return Response.json(answerOf(review.uid, verdict));
  }

  #judge(rule: Rule, review: Parameters<Rule["review"]>[0]): Verdict {
    const { counters, registryAddress } = this.#options;
    try {
      const verdict = rule.review(review, { registryAddress: registryAddress() });
      if (!verdict.allowed) counters.denied++;
      else if (verdict.patch.length > 0) counters.patched++;
      else counters.unchanged++;
      return verdict;
    } catch (error) {
      if (!v.isValiError(error)) throw error;
      const [issue] = error.issues;
      throw new BadRequest(400, `not the kind of ${rule.path}: ${v.getDotPath(issue) ?? "it"}`);
    }
  }
}

function health(request: Request): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new BadRequest(405, "health is only read", { allow: "GET, HEAD" });
  }
  return new Response("ok\n");
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new BadRequest(400, "the body is not JSON");
  }
}

async function readBody(request: Request): Promise<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > MAX_BODY) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY) throw tooLarge();
    chunks.push(chunk);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

function tooLarge(): BadRequest {
  return new BadRequest(413, `a review has at most ${MAX_BODY} bytes`);
}
