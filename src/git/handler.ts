import { describeError, type Logger } from "../std/mod.ts";
import type { StreamingChild } from "./child.ts";
import { isReader, type Reader } from "./credentials.ts";
import { Relay, RELAYED_HEADER } from "./relay.ts";
import type { Git } from "./run.ts";
import { type GitRoute, protocolVersion, routeOf } from "./route.ts";
import { feed, MAX_REQUEST, type RequestFault, startUploadPack } from "./upload_pack.ts";

/** How many clones are served at once; each is a process or two. */
export const MAX_CHILDREN = 16;
/** Seconds after which somebody who was turned away may come again. */
const RETRY_AFTER = 5;
const UPLOAD_PACK = "git-upload-pack";

/** Who may read the repositories, and under which name they are found. */
export interface GitAccess {
  /** The first part of every path: Zarf's name of the user who pushes. */
  readonly owner: string;
  readonly reader: Reader;
}

/** What the handler serves from. */
export interface GitHandlerOptions {
  readonly git: Git;
  /** The directory of a repository, if it is there. */
  readonly directoryOf: (name: string) => string | undefined;
  /** Asked for each request; undefined while nobody is known. */
  readonly access: () => GitAccess | undefined;
  readonly logger: Logger;
  /** @default MAX_CHILDREN */
  readonly maxChildren?: number;
  /** The agent (`http://host:port`) that has the newest of a repository, unless it is this one. */
  readonly holderOf?: (name: string) => string | undefined;
}

/** Answers a request of git's smart HTTP protocol. */
export type GitHandler = (request: Request) => Promise<Response>;

/**
 * Serves repositories read-only over git's smart HTTP protocol (gitprotocol-http), by
 * `git upload-pack`; there is no pushing, and no protocol of old.
 */
export function createGitHandler(options: GitHandlerOptions): GitHandler {
  const { access, directoryOf, maxChildren = MAX_CHILDREN } = options;
  const slots = { taken: 0 };
  const relay = new Relay(options.logger);
  return async (request) => {
    const known = access();
    if (known === undefined) return text(503, "who may read is not known yet", retryAfter());
    if (!isReader(request.headers.get("authorization"), known.reader)) {
      return text(401, "credentials are needed", { "www-authenticate": 'Basic realm="git"' });
    }
    const route = routeOf(new URL(request.url));
    const refusal = refuse(route, request, known.owner);
    if (refusal !== undefined || route.kind === "other") return refusal ?? notFound();
    const isRelayed = request.headers.has(RELAYED_HEADER);
    const holder = isRelayed ? undefined : options.holderOf?.(route.name);
    const relayed = holder && await relay.pass(request, holder);
    if (relayed) return relayed;
    const repository = directoryOf(route.name);
    if (repository === undefined) return notFound();
    if (slots.taken >= maxChildren) return text(503, "too many are served now", retryAfter());
    slots.taken++;
    const version = protocolVersion(request.headers.get("git-protocol") ?? "");
    const free = once(() => slots.taken--);
    return await serve({ ...options, request, repository, version, free, kind: route.kind });
  };
}

/** Why a request is not served, whatever repositories there are. */
function refuse(route: GitRoute, request: Request, owner: string): Response | undefined {
  if (route.kind === "other" || route.user !== owner) return notFound();
  if (route.service === "git-receive-pack") {
    return text(403, "the repositories come from packages and are read only");
  }
  if (route.service !== UPLOAD_PACK) return notFound();
  const method = route.kind === "info" ? "GET" : "POST";
  if (request.method !== method) return text(405, `only ${method}`, { allow: method });
  if (route.kind === "info") return undefined;
  const type = request.headers.get("content-type");
  if (type !== `application/x-${UPLOAD_PACK}-request`) return text(415, "not a request of git");
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (!["identity", "gzip", "x-gzip"].includes(encoding)) return text(415, "only gzip");
  return undefined;
}

interface Serving extends GitHandlerOptions {
  readonly request: Request;
  readonly repository: string;
  readonly version: 0 | 1 | 2;
  readonly kind: "info" | "rpc";
  /** Gives the slot back; safe to call again. */
  readonly free: () => void;
}

async function serve(serving: Serving): Promise<Response> {
  const { git, repository, version, request, free, kind, logger } = serving;
  const advertise = kind === "info";
  let child: StreamingChild;
  try {
    child = startUploadPack({ git, repository, advertise, version, signal: request.signal });
  } catch (error) {
    free();
    logger.error(`git cannot be started: ${describeError(error)}`);
    return text(500, "git cannot be started");
  }
  void child.ended.then((said) => {
    free();
    if (said !== undefined && !request.signal.aborted) logger.warn(`git upload-pack: ${said}`);
  });
  const encoding = request.headers.get("content-encoding") ?? "";
  const fed = feed(advertise ? null : request.body, encoding.includes("gzip"), child.input);
  const reader = child.output.getReader();
  const first = await Promise.race([reader.read(), faultOf(fed)]);
  if (typeof first === "string") {
    child.stop();
    void reader.cancel().catch(() => {});
    return first === "TooLarge"
      ? text(413, `a request has at most ${MAX_REQUEST} bytes`)
      : text(400, "the request cannot be read");
  }
  if (first.done) return text(500, "git did not answer");
  const announcement = advertise && version !== 2 ? [announced()] : [];
  return new Response(streamOf([...announcement, first.value], reader, child), {
    headers: {
      "content-type": `application/x-${UPLOAD_PACK}-${advertise ? "advertisement" : "result"}`,
      "cache-control": "no-cache, max-age=0, must-revalidate",
    },
  });
}

/** Resolves when there is a fault, and never otherwise. */
async function faultOf(fed: Promise<RequestFault | undefined>): Promise<RequestFault> {
  const fault = await fed;
  return fault ?? await new Promise<never>(() => {});
}

/** What stands before the references, but not in version 2 (git, http-backend.c get_info_refs). */
function announced(): Uint8Array {
  const line = `# service=${UPLOAD_PACK}\n`;
  const length = (line.length + 4).toString(16).padStart(4, "0");
  return new TextEncoder().encode(`${length}${line}0000`);
}

/** The rest of the output after what was read of it already. */
function streamOf(
  read: readonly Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
  child: StreamingChild,
): ReadableStream<Uint8Array> {
  const waiting = [...read];
  return new ReadableStream({
    async pull(controller) {
      const next = waiting.shift();
      if (next !== undefined) return controller.enqueue(next);
      const { value, done } = await reader.read();
      // A pack says itself whether it is whole: the client sees if it is not.
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      child.stop();
      await reader.cancel();
    },
  }, { highWaterMark: 0 });
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}

function retryAfter(): Record<string, string> {
  return { "retry-after": String(RETRY_AFTER) };
}

function notFound(): Response {
  return text(404, "there is no such repository");
}

function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(`${message}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
}
