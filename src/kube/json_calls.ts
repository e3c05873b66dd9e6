import { decode, headersOf } from "./encoding.ts";
import { errorOfResponse, KubeError } from "./errors.ts";
import type { HttpRequest, Transport } from "./transport.ts";
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
    const value = decode(reply.body);
    const what = `${method} ${path}`;
    if (reply.status < 200 || reply.status > 299) {
      throw errorOfResponse(what, reply.status, reply.headers.get("retry-after"), value);
    }
    if (typeof value === "object" && value !== null) return value;
    throw new KubeError({
      reason: "BadResponse",
      message: `${what}: the answer is not a JSON object`,
      status: reply.status,
    });
  }
}
