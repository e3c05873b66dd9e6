import { decode, headersOf } from "./encoding.ts";
import { errorOfResponse, KubeError, MAX_MESSAGE } from "./errors.ts";
import type { HttpReply, HttpRequest, Transport } from "./transport.ts";
import type { CallOptions } from "./types.ts";

/** Calls whose answer is JSON and has to be a success. */
export class JsonCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Sends a request and gives the decoded answer, an object or an array.
   *
   * @throws {KubeError} for every answer that is not a success, and `BadResponse` for one that is not
   * JSON.
   */
  async send(
    method: string,
    path: string,
    options: CallOptions = {},
    body?: string | Uint8Array,
    contentType?: string,
  ): Promise<unknown> {
    const request: HttpRequest = {
      method,
      path,
      headers: headersOf("application/json", contentType),
      ...(body === undefined ? {} : { body }),
    };
    const reply = await this.#transport.send(request, options);
    try {
      return valueOf(`${method} ${path}`, reply);
    } catch (error) {
      if (error instanceof KubeError && error.reason === "BadResponse") this.#transport.renew();
      throw error;
    }
  }
}

/** What no API server sends, whatever its status, is a `BadResponse`: a portal has its own 403. */
function valueOf(what: string, { status, headers, body }: HttpReply): unknown {
  const location = headers.get("location");
  if (status >= 300 && status < 400 && location !== null) {
    throw badResponse(`${what}: the answer leads elsewhere (${status}), to ${location}`, status);
  }
  if (headers.get("content-type")?.startsWith("text/html")) {
    throw badResponse(`${what}: the answer is a web page (${status}), not a JSON object`, status);
  }
  const value = decode(body);
  if (status < 200 || status > 299) {
    throw errorOfResponse(what, status, headers.get("retry-after"), value);
  }
  if (typeof value === "object" && value !== null) return value;
  throw badResponse(`${what}: the answer is not a JSON object`, status);
}

function badResponse(message: string, status: number): KubeError {
  return new KubeError({
    reason: "BadResponse",
    message: message.slice(0, MAX_MESSAGE),
    remedy:
      "no API server answers so; check the address in the kubeconfig and what is in its place",
    status,
  });
}
