/**
 * What a caller should do about a failure. It is decided once, where the failure is understood:
 *
 * - `terminal`: trying again with the same input cannot help.
 * - `retry`: the same call may succeed later; callers back off.
 * - `wait`: something outside must change first (space, a cluster, a key); callers look again.
 */
export type Disposition = "terminal" | "retry" | "wait";

/** What a {@linkcode HoldfastError} is made of. */
export interface ErrorParts<Reason extends string = string> {
  /** CamelCase, from the closed list of the room that throws. */
  readonly reason: Reason;
  /** What failed and why, in one sentence without a full stop. */
  readonly message: string;
  /** What was left as it was ("the store is unchanged"). */
  readonly kept?: string;
  /** What a person can do about it. */
  readonly remedy?: string;
  /** @default "terminal" */
  readonly disposition?: Disposition;
  readonly cause?: unknown;
}

/**
 * The base of every typed error. Its text says what failed, why, what was kept and what to do;
 * `reason` is for programs. Rooms extend it with their own closed list of reasons.
 */
export class HoldfastError<Reason extends string = string> extends Error {
  readonly reason: Reason;
  readonly kept: string | undefined;
  readonly remedy: string | undefined;
  readonly disposition: Disposition;

  constructor(parts: ErrorParts<Reason>) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.reason = parts.reason;
    this.kept = parts.kept;
    this.remedy = parts.remedy;
    this.disposition = parts.disposition ?? "terminal";
  }
}

/** How much of one message a description shows, in characters. */
const MAX_MESSAGE = 1000;
/** Controls, other breaks of a line, and what turns the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * The text on one line, without characters that a terminal or a page would act on and without halves
 * of characters; what is too long loses its middle. Messages quote what others wrote.
 *
 * @param limit Characters.
 */
export function oneLine(text: string, limit: number = MAX_MESSAGE): string {
  const line = text.replaceAll(/[\t\r\n]+/g, " ").replaceAll(UNPRINTABLE, escaped).trim();
  if (line.length <= limit) return line.toWellFormed();
  const tail = Math.floor(limit / 3);
  return `${line.slice(0, limit - tail - 1)}…${line.slice(-tail)}`.toWellFormed();
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** One line: the message, its chain of causes, what was kept, what to do. */
export function describeError(error: unknown): string {
  const parts = [chainOfMessages(error)];
  if (error instanceof HoldfastError) {
    if (error.kept !== undefined) parts.push(error.kept);
    if (error.remedy !== undefined) parts.push(error.remedy);
  }
  return parts.join("; ");
}

/** The deepest chain of causes that {@linkcode describeError} follows. */
const MAX_CAUSES = 5;

function chainOfMessages(error: unknown): string {
  const messages: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current !== undefined && depth < MAX_CAUSES; depth++) {
    const text = oneLine(current instanceof Error ? current.message : String(current));
    if (text !== "" && !messages.some((seen) => seen.includes(text))) messages.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return messages.join(": ");
}

/** The disposition of any thrown value; what is not ours is retried. */
export function dispositionOf(error: unknown): Disposition {
  return error instanceof HoldfastError ? error.disposition : "retry";
}

/** The operating system's code of a failed call (`ENOSPC`, `EIO` …), wherever in the chain it is. */
export function osErrorCode(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < MAX_CAUSES; depth++) {
    if ("code" in current && typeof current.code === "string") return current.code;
    const named = /\(os error (\d+)\)/.exec(current.message)?.[1];
    if (named !== undefined) return OS_ERRORS[named] ?? `errno ${named}`;
    current = current.cause;
  }
  return undefined;
}

/** Linux numbers of the errors that Holdfast tells apart (errno.h). */
const OS_ERRORS: Readonly<Record<string, string>> = {
  "2": "ENOENT",
  "5": "EIO",
  "13": "EACCES",
  "17": "EEXIST",
  "28": "ENOSPC",
  "30": "EROFS",
  "98": "EADDRINUSE",
  "99": "EADDRNOTAVAIL",
  "111": "ECONNREFUSED",
  "122": "EDQUOT",
};
