/** The longest request head that is read, in bytes. */
export const MAX_HEAD = 16 << 10;

/** The first lines of a request. */
export interface RequestHead {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Headers;
  /** Whether another request may follow on the connection. */
  readonly keepAlive: boolean;
  /** Whether a body follows, which nobody here reads. */
  readonly hasBody: boolean;
}

/** Where a head ends in `bytes`: the index behind its empty line, or -1. */
export function headEnd(bytes: Uint8Array): number {
  for (let at = 3; at < bytes.length; at++) {
    if (
      bytes[at] === 10 && bytes[at - 1] === 13 && bytes[at - 2] === 10 && bytes[at - 3] === 13
    ) return at + 1;
  }
  return -1;
}

const REQUEST_LINE = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.([01])$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

/** Reads a head (RFC 9112); `undefined` when it is not well-formed. */
export function parseHead(bytes: Uint8Array): RequestHead | undefined {
  const [first = "", ...lines] = new TextDecoder("latin1").decode(bytes).trimEnd().split("\r\n");
  const request = REQUEST_LINE.exec(first);
  if (request === null) return undefined;
  const headers = new Headers();
  for (const line of lines) {
    const header = HEADER.exec(line);
    if (header === null) return undefined;
    try {
      headers.append(header[1] ?? "", header[2] ?? "");
    } catch {
      return undefined;
    }
  }
  const [, method = "", target = "", minor] = request;
  const connection = headers.get("connection")?.toLowerCase() ?? "";
  const length = headers.get("content-length");
  return {
    method,
    target,
    headers,
    keepAlive: minor === "1" && !connection.includes("close"),
    hasBody: headers.has("transfer-encoding") || (length !== null && length !== "0"),
  };
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial Content",
  304: "Not Modified",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  416: "Range Not Satisfiable",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** The head of a response, whose headers hold no line breaks (the Headers class sees to it). */
export function responseHead(
  status: number,
  headers: Iterable<readonly [string, string]>,
): Uint8Array {
  const lines = [`HTTP/1.1 ${status} ${REASONS[status] ?? "Unknown"}`];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
}
