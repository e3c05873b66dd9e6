import { startStreaming, type StreamingChild } from "./child.ts";
import type { Git } from "./run.ts";

/**
 * How long one clone may take, in milliseconds; who takes longer begins again from what it has.
 */
const UPLOAD_PACK_TIMEOUT = 30 * 60_000;
/** The longest request, in bytes once it is unpacked; 50 for each object that a client names. */
export const MAX_REQUEST = 32 << 20;

/**
 * Configuration of the program that serves: what packages brought apart is not shown, and the rest is
 * as with Gitea, Zarf's own git server: any object may be asked for by name, as Argo CD does with
 * commits, and partial clones work (Gitea 1.24, modules/git/git.go).
 */
const SERVING: Readonly<Record<string, string>> = {
  "transfer.hideRefs": "refs/packages",
  "uploadpack.allowFilter": "true",
  "uploadpack.allowAnySHA1InWant": "true",
  "pack.threads": "1",
};

/** What {@linkcode startUploadPack} serves. */
export interface UploadPackOptions {
  readonly git: Git;
  /** Directory of the repository. */
  readonly repository: string;
  /** Whether it only says what it has. */
  readonly advertise: boolean;
  readonly version: 0 | 1 | 2;
  readonly signal: AbortSignal;
}

/** Starts `git upload-pack` for one request. @throws when it cannot be started. */
export function startUploadPack(options: UploadPackOptions): StreamingChild {
  const { git, repository, advertise, version, signal } = options;
  return startStreaming(git.program.git, {
    args: [
      ...["upload-pack", "--stateless-rpc", "--strict"],
      ...(advertise ? ["--http-backend-info-refs"] : []),
      repository,
    ],
    env: { ...git.environment(SERVING), GIT_PROTOCOL: `version=${version}` },
    cwd: repository,
    timeout: UPLOAD_PACK_TIMEOUT,
    signal,
  });
}

/** Why a request could not be given to the program. */
export type RequestFault = "TooLarge" | "Unreadable";

/**
 * Writes a request's body into the program, as fast as that reads.
 *
 * @returns what was wrong with the request, if anything; the program has not got all of it then.
 */
export async function feed(
  body: ReadableStream<Uint8Array> | null,
  isGzip: boolean,
  input: WritableStream<Uint8Array>,
): Promise<RequestFault | undefined> {
  const writer = input.getWriter();
  let fault: RequestFault | undefined;
  let left = MAX_REQUEST;
  try {
    for await (const bytes of unpacked(body, isGzip)) {
      left -= bytes.length;
      if (left < 0) {
        fault = "TooLarge";
        break;
      }
      try {
        await writer.write(bytes);
      } catch {
        // It needs no more: what it has to say is in its output.
        return undefined;
      }
    }
  } catch {
    fault = "Unreadable";
  }
  await writer.close().catch(() => {});
  return fault;
}

function unpacked(
  body: ReadableStream<Uint8Array> | null,
  isGzip: boolean,
): ReadableStream<Uint8Array> {
  const stream = body ?? new Blob([]).stream();
  if (!isGzip) return stream;
  return stream.pipeThrough(
    new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>,
  );
}
