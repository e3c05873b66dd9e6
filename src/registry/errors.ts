import { HoldfastError, type ListenReason } from "../std/mod.ts";

/** Why the registry cannot do its work. */
export type RegistryReason =
  | ListenReason
  | "UpstreamTimeout"
  | "UpstreamFailed"
  | "UpstreamInvalid";

/** The registry cannot listen, or another registry cannot be used. */
export class RegistryError extends HoldfastError<RegistryReason> {}

/**
 * The codes of error bodies (OCI distribution-spec, "Error Codes"). The last three are those of
 * distribution, `UNAVAILABLE` stands for an upstream that does not answer.
 */
export type OciErrorCode =
  | "BLOB_UNKNOWN"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "DIGEST_INVALID"
  | "UNSUPPORTED"
  | "TOOMANYREQUESTS"
  | "TAG_INVALID"
  | "PAGINATION_NUMBER_INVALID"
  | "UNAVAILABLE"
  | "UNKNOWN";

const STATUS: Readonly<Record<OciErrorCode, number>> = {
  BLOB_UNKNOWN: 404,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  TAG_INVALID: 400,
  PAGINATION_NUMBER_INVALID: 400,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
};

/** A request's answer that is an error; the handler turns it into a response. */
export class RequestError extends Error {
  readonly code: OciErrorCode;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: OciErrorCode,
    message: string,
    detail: unknown = null,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "RequestError";
    this.code = code;
    this.detail = detail;
    this.headers = headers;
  }

  /** The response with the body that clients parse: `{"errors":[{code,message,detail}]}`. */
  response(method: string): Response {
    const { code, message, detail } = this;
    const body = new TextEncoder().encode(JSON.stringify({ errors: [{ code, message, detail }] }));
    return new Response(method === "HEAD" ? null : body, {
      status: STATUS[code],
      headers: {
        "content-type": "application/json",
        "content-length": String(body.length),
        ...this.headers,
      },
    });
  }
}
