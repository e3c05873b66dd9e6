import * as v from "valibot";
import { type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import { ADMISSION_LIMITS, type AdmissionLimits, BadRequest, BodyReader } from "./body.ts";
import { type AdmissionMetrics, type AdmissionResult, createAdmissionMetrics } from "./metrics.ts";
import { answerTo, type Review, ReviewSchema } from "./review.ts";
import type { Rule, Verdict } from "./rules/rule.ts";
import { RULES } from "./rules/rules.ts";
import type { Site } from "./site.ts";

/** The largest request that is read. */
export const MAX_REVIEW_BYTES = ADMISSION_LIMITS.bodyBytes;

const HEALTH_PATH = "/healthz";
const TOO_MANY = 429;

/** What the webhook works with. */
export interface AdmissionOptions {
  /** What is known of the cluster now; asked for each request. */
  readonly site: () => Site;
  readonly logger: Logger;
  /** Counts into these. @default its own */
  readonly metrics?: AdmissionMetrics;
  readonly clock?: Clock;
  /** @default ADMISSION_LIMITS */
  readonly limits?: Partial<AdmissionLimits>;
}

/** Answers one request; it never throws. */
export type AdmissionHandler = (request: Request) => Promise<Response>;

/**
 * The webhook: `POST` with an AdmissionReview to the path of a rule, and `GET /healthz`.
 *
 * It keeps nothing between requests and asks nobody but, about one kind of object, the registry, so it
 * works while the API server and the network do not. Where the site is not known yet, objects are
 * admitted as they are. What is no review, or one of an object that has not the shape of its kind, gets
 * a 4xx, and a failure of its own a 500: no answer in the sense of admission, so that the failure
 * policy of the webhook's configuration decides, and the API server counts it.
 */
export function createAdmission(options: AdmissionOptions): AdmissionHandler {
  const { logger, metrics = createAdmissionMetrics(), clock = systemClock } = options;
  const bodies = new BodyReader({ ...ADMISSION_LIMITS, ...options.limits });
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === HEALTH_PATH) return health(request);
    const started = clock.monotonic();
    const { response, result } = await reply(request, pathname, bodies, options);
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

async function reply(
  request: Request,
  path: string,
  bodies: BodyReader,
  { site, logger }: AdmissionOptions,
): Promise<Reply> {
  try {
    const rule = ruleFor(request, path);
    const { review, verdict } = await bodies.read(request, (body) => judge(body, rule, site));
    if (!verdict.allowed) logger.info("object denied", { message: verdict.message });
    return { response: Response.json(answerTo(review, verdict)), result: resultOf(verdict) };
  } catch (error) {
    if (error instanceof BadRequest) {
      const { status, message, headers } = error;
      const result = status === TOO_MANY ? "busy" : "invalid";
      return { response: text(message, status, headers), result };
    }
    logger.error("admission failed", { error: describeError(error) });
    return { response: text("the webhook failed; its log says why", 500), result: "failed" };
  }
}

/** The rule that a request is for, before anything of its body is read. */
function ruleFor({ method, headers }: Request, path: string): Rule {
  const rule = RULES.get(path);
  if (rule === undefined) throw new BadRequest(404, "not found");
  if (method !== "POST") throw new BadRequest(405, "only POST", { allow: "POST" });
  const type = headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new BadRequest(415, "the content type has to be application/json");
  }
  return rule;
}

async function judge(
  body: string,
  rule: Rule,
  site: () => Site,
): Promise<{ review: Review; verdict: Verdict }> {
  try {
    const review = v.parse(ReviewSchema, parseJson(body));
    if (review.request.kind.kind !== rule.kind) {
      throw new BadRequest(400, `this path is for objects of kind ${rule.kind}`);
    }
    return { review, verdict: await rule.judge(review.request, site()) };
  } catch (error) {
    if (!(error instanceof v.ValiError)) throw error;
    const where = v.getDotPath(error.issues[0]);
    throw new BadRequest(400, `not a review of a ${rule.kind}: ${where ?? "the whole body"}`);
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
