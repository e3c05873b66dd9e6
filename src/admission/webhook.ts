import * as v from "valibot";
import { type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import { type AdmissionMetrics, type AdmissionResult, createAdmissionMetrics } from "./metrics.ts";
import { reviewOf, ReviewSchema } from "./review.ts";
import { podRule } from "./rules/pod.ts";
import type { Rule, Verdict } from "./rules/rule.ts";
import type { Site } from "./site.ts";

/** The largest request that is read; the API server takes none over 3 MiB itself. */
export const MAX_REVIEW_BYTES = 3 << 20;

const RULES: readonly Rule[] = [podRule];
const HEALTH_PATH = "/healthz";

/** What the webhook works with. */
export interface AdmissionOptions {
  /** What is known of the cluster now; asked for each request. */
  readonly site: () => Site;
  readonly logger: Logger;
  /** Counts into these. @default its own */
  readonly metrics?: AdmissionMetrics;
  readonly clock?: Clock;
}

/** Answers one request; it never throws. */
export type AdmissionHandler = (request: Request) => Promise<Response>;

/**
 * The webhook: `POST /mutate/pod` with an AdmissionReview, and `GET /healthz`.
 *
 * It keeps nothing between requests and asks nobody, so it works while the API server, the registry
 * and the network do not.
 */
export function createAdmission(options: AdmissionOptions): AdmissionHandler {
  const { logger, metrics = createAdmissionMetrics(), clock = systemClock } = options;
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === HEALTH_PATH) return health(request);
    const started = clock.monotonic();
    const { response, result } = await reply(request, pathname, options);
    metrics.requests[result]++;
    metrics.seconds += (clock.monotonic() - started) / 1000;
    logger.debug("admission", { path: pathname, status: response.status, result });
    return response;
  };
}

interface Reply {
  readonly response: Response;
  readonly result: AdmissionResult;
}

/** A request that is no question to the webhook. */
class BadRequest extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

async function reply(request: Request, path: string, options: AdmissionOptions): Promise<Reply> {
  try {
    const { uid, verdict } = await judge(request, path, options);
    if (!verdict.allowed) options.logger.info("pod denied", { message: verdict.message });
    return { response: Response.json(reviewOf(uid, verdict)), result: resultOf(verdict) };
  } catch (error) {
    if (error instanceof BadRequest) {
      const { status, message, headers } = error;
      return { response: text(message, status, headers), result: "invalid" };
    }
    options.logger.error("admission failed", { error: describeError(error) });
    return { response: text("the webhook failed; its log says why", 500), result: "failed" };
  }
}

async function judge(
  request: Request,
  path: string,
  options: AdmissionOptions,
): Promise<{ uid: string; verdict: Verdict }> {
  const rule = RULES.find((candidate) => candidate.path === path);
  if (rule === undefined) throw new BadRequest(404, "not found");
  if (request.method !== "POST") throw new BadRequest(405, "only POST", { allow: "POST" });
  const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new BadRequest(415, "the content type has to be application/json");
  }
  const body = parseJson(await readBody(request));
  try {
    const review = v.parse(ReviewSchema, body).request;
    if (review.kind.kind !== rule.kind) {
      throw new BadRequest(400, `this path is for objects of kind ${rule.kind}`);
    }
    return { uid: review.uid, verdict: await rule.judge(review, options.site()) };
  } catch (error) {
    if (!(error instanceof v.ValiError)) throw error;
    const where = v.getDotPath(error.issues[0]);
    throw new BadRequest(400, `not a review of a ${rule.kind}: ${where ?? "the whole body"}`);
  }
}

/** Reads no further than the limit, whatever the header promised. */
async function readBody(request: Request): Promise<string> {
  const tooLarge = new BadRequest(413, `the review is over ${MAX_REVIEW_BYTES} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_REVIEW_BYTES) throw tooLarge;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let size = 0;
  let body = "";
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > MAX_REVIEW_BYTES) throw tooLarge;
      body += decoder.decode(chunk, { stream: true });
    }
    return body + decoder.decode();
  } catch (error) {
    if (error instanceof BadRequest) throw error;
    throw new BadRequest(400, "the body ended early or is not UTF-8");
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest(400, "the body is not JSON");
  }
}

function resultOf(verdict: Verdict): AdmissionResult {
  if (!verdict.allowed) return "denied";
  return verdict.patch.length === 0 ? "unchanged" : "patched";
}

function health({ method }: Request): Response {
  return method === "GET" || method === "HEAD"
    ? text("ok", 200)
    : text("only GET and HEAD", 405, { allow: "GET, HEAD" });
}

function text(
  message: string,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${message}\n`, { status, headers });
}
