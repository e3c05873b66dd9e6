import { HoldfastError } from "../std/mod.ts";
import { quoted } from "./quoted.ts";

/** An image reference in its normal form. */
export interface ImageReference {
  /**
   * The registry's host and port; `docker.io` when the text named none, and empty when it named one
   * that is no host name but may be a part of a path (`under_score.example/app`).
   */
  readonly host: string;
  /** The repository below the host; official images carry their `library/`. */
  readonly path: string;
  /** `host/path`, or the path alone where the host is empty. */
  readonly name: string;
  /** Absent only when there is a digest; `latest` when the text had neither. */
  readonly tag?: string;
  /** `sha256:…`, `sha384:…` or `sha512:…`, as written. */
  readonly digest?: string;
  /** `host/path[:tag][@digest]`. */
  readonly canonical: string;
}

/**
 * Why a text is no image reference, or (`NotAUrl`, `NotAGitUrl`) no URL, or none of a git repository.
 */
export type RefErrorReason =
  | "NotAReference"
  | "UpperCaseName"
  | "NameTooLong"
  | "NotAName"
  | "NotAUrl"
  | "NotAGitUrl";

/** A text that cannot be read as what it should name. It is terminal: the text has to change. */
export class RefError extends HoldfastError<RefErrorReason> {}

/** The registry of a reference that names none (distribution/reference, normalize.go). */
const DEFAULT_HOST = "docker.io";
/** What older clients wrote for {@linkcode DEFAULT_HOST}. */
const LEGACY_HOST = "index.docker.io";
/** The namespace of Docker's official images. */
const OFFICIAL = "library/";
/** The longest repository path (distribution/reference, RepositoryNameTotalLengthMax). */
const MAX_PATH = 255;
/** The longest text that is looked at: a host name, the path, a tag and the longest digest. */
const MAX_TEXT = 1024;

/** The grammar of distribution/reference v0.6, regexp.go. */
const grammar = (() => {
  const alphanumeric = "[a-z0-9]+";
  const separator = "(?:[._]|__|-+)";
  const component = `${alphanumeric}(?:${separator}${alphanumeric})*`;
  const path = `${component}(?:/${component})*`;
  const label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
  const host = `(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
  const tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
  const algorithm = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*";
  const digest = `${algorithm}:[0-9a-fA-F]{32,}`;
  return new RegExp(`^(?:(${host})/)?(${path})(?::(${tag}))?(?:@(${digest}))?$`);
})();

/** The digests that have an implementation in Go's opencontainers/go-digest. */
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;

/**
 * Reads an image reference as Docker, containerd and Zarf do: distribution/reference's
 * `ParseAnyReference`, with Zarf's additions that a leading `oci://` is dropped, that a bare digest is
 * no name, and that the tag is `latest` where neither tag nor digest is given (Zarf 0.84,
 * src/pkg/transform/image.go, ParseImageRef).
 *
 * @throws {RefError} when the text is no reference.
 */
export function parseImageReference(text: string): ImageReference {
  const source = text.startsWith("oci://") ? text.slice("oci://".length) : text;
  if (source.length > MAX_TEXT) throw refError("NameTooLong", source, "it is too long");
  if (/^[0-9a-f]{64}$/.test(source) || DIGEST.test(source)) {
    throw refError("NotAName", source, "a digest alone does not name a repository");
  }
  const { host, rest } = splitHost(source);
  const [repository = ""] = rest.split(":", 1);
  if (repository.toLowerCase() !== repository) {
    throw refError("UpperCaseName", source, "a repository's name is in lower case");
  }
  const match = grammar.exec(`${host}/${rest}`);
  // The grammar's own view of what a host is, which is narrower.
  const [, domain = "", path] = match ?? [];
  if (match === null || path === undefined) {
    throw refError("NotAReference", source, "it does not have the form [host/]path[:tag][@digest]");
  }
  if (path.length > MAX_PATH) {
    throw refError("NameTooLong", source, `its path is longer than ${MAX_PATH} characters`);
  }
  const digest = match[4];
  if (digest !== undefined && !DIGEST.test(digest)) {
    throw refError("NotAReference", source, "its digest is not a sha256, sha384 or sha512");
  }
  return assemble(domain, path, match[3], digest);
}

function assemble(host: string, path: string, tag: string | undefined, digest: string | undefined) {
  const name = host === "" ? path : `${host}/${path}`;
  const given = tag ?? (digest === undefined ? "latest" : undefined);
  return {
    host,
    path,
    name,
    ...(given === undefined ? {} : { tag: given }),
    ...(digest === undefined ? {} : { digest }),
    canonical: name + (given === undefined ? "" : `:${given}`) +
      (digest === undefined ? "" : `@${digest}`),
  };
}

/** distribution/reference v0.6, normalize.go, splitDockerDomain. */
function splitHost(text: string): { host: string; rest: string } {
  const slash = text.indexOf("/");
  if (slash < 0) return { host: DEFAULT_HOST, rest: OFFICIAL + text };
  const first = text.slice(0, slash);
  const isHost = first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first;
  const host = !isHost || first === LEGACY_HOST ? DEFAULT_HOST : first;
  const rest = isHost ? text.slice(slash + 1) : text;
  return { host, rest: host === DEFAULT_HOST && !rest.includes("/") ? OFFICIAL + rest : rest };
}

function refError(reason: RefErrorReason, text: string, why: string): RefError {
  return new RefError({
    reason,
    message: `${quoted(text)} is not an image reference: ${why}`,
    remedy: "write it as host/path:tag or host/path@sha256:digest",
  });
}
