import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { describeError } from "../std/mod.ts";
import { statusError, TalosError } from "./errors.ts";
import { frame, messagesOf } from "./frames.ts";

/** Where machined listens (Talos 1.13, constants.MachineSocketPath). */
export const MACHINE_SOCKET = "/system/run/machined/machine.sock";
/** How long a call may take that has no limit of its own, in milliseconds. */
const DEFAULT_DEADLINE = 15_000;

/** What every call asks for. */
const ROLE = "os:admin";

/** How one call is made. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call. @default 15 s; of streams, none */
  readonly deadline?: number;
}

/**
 * gRPC over machined's socket, by `fetch`: of the clients for gRPC none works on a unix socket under
 * Deno. What `fetch` does not show is the trailer of an answer: a status that comes after messages
 * looks like a good end. A caller of a stream must know its last message.
 *
 * Every call asks for the role `os:admin`; machined gives what the caller's process may have
 * (Talos 1.13, pkg/grpc/middleware/auth/unix).
 */
export class TalosTransport implements Disposable {
  readonly #client: Deno.HttpClient;
  readonly #socket: string;

  constructor(socket: string = MACHINE_SOCKET) {
    this.#socket = socket;
    this.#client = Deno.createHttpClient({
      proxy: { transport: "unix", path: socket },
      http1: false,
      http2: true,
    });
  }

  /** Asks once. @throws {TalosError} */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { signal, deadline = DEFAULT_DEADLINE }: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const body = frame(encode(method.input, request));
    return await only(method, this.#call(method, body, { deadline, ...given(signal) }));
  }

  /** The messages of an answer. It ends where the server ends it, and tells no late failure. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): AsyncGenerator<MessageShape<O>> {
    return this.#call(method, frame(encode(method.input, request)), options);
  }

  /** Sends messages, as fast as the server takes them, and gets one. */
  async send<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: AsyncIterable<MessageInitShape<I>>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const frames = async function* () {
      for await (const request of requests) yield frame(encode(method.input, request));
    };
    return await only(method, this.#call(method, ReadableStream.from(frames()), options));
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async *#call<O extends DescMessage>(
    method: DescMethod & { readonly output: O },
    body: BodyInit,
    { signal, deadline }: CallOptions,
  ): AsyncGenerator<MessageShape<O>> {
    const call = `${method.parent.typeName}/${method.name}`;
    const limit = deadline === undefined ? undefined : AbortSignal.timeout(deadline);
    const signals = [signal, limit].filter((one) => one !== undefined);
    // Ends the request also when nobody reads on.
    using end = new Ending(signals);
    try {
      const response = await fetch(`http://machined/${call}`, {
        method: "POST",
        client: this.#client,
        body,
        headers: this.#headers(deadline),
        signal: end.signal,
      });
      const chunks = await bodyOf(response, call);
      for await (const message of messagesOf(chunks, call)) {
        yield fromBinary(method.output, message);
      }
    } catch (error) {
      throw this.#failure(call, error, signal, limit);
    }
  }

  #headers(deadline: number | undefined): HeadersInit {
    return {
      "content-type": "application/grpc+proto",
      te: "trailers",
      "talos-role": ROLE,
      ...(deadline === undefined ? {} : { "grpc-timeout": `${Math.ceil(deadline)}m` }),
    };
  }

  #failure(
    call: string,
    error: unknown,
    signal: AbortSignal | undefined,
    limit: AbortSignal | undefined,
  ): unknown {
    if (error instanceof TalosError) return error;
    if (signal?.aborted) return signal.reason;
    if (limit?.aborted) {
      return new TalosError({ reason: "Timeout", message: `${call}: no answer in time` });
    }
    return new TalosError({
      reason: "Unreachable",
      message: `${call}: machined does not answer on ${this.#socket}: ${describeError(error)}`,
      cause: error,
    });
  }
}

/** A signal of its own that follows others and ends with its scope. */
class Ending implements Disposable {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal;

  constructor(others: readonly AbortSignal[]) {
    this.signal = AbortSignal.any([...others, this.#controller.signal]);
  }

  [Symbol.dispose](): void {
    this.#controller.abort();
  }
}

/** The body of an answer whose status, as far as it is known by then, is good. */
async function bodyOf(response: Response, call: string): Promise<AsyncIterable<Uint8Array>> {
  const status = response.headers.get("grpc-status");
  const { ok, body } = response;
  if (status !== null && status !== "0") {
    await body?.cancel();
    const message = response.headers.get("grpc-message") ?? "";
    throw statusError(call, Number(status), percentDecoded(message));
  }
  if (ok && response.headers.get("content-type")?.startsWith("application/grpc")) {
    return body ?? ReadableStream.from([]);
  }
  await body?.cancel();
  throw new TalosError({
    reason: "BadResponse",
    message: `${call}: the answer is no gRPC, but HTTP ${response.status}`,
  });
}

/** `grpc-message` is UTF-8 with percent encoding; what is none stays as it is. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function encode<I extends DescMessage>(schema: I, request: MessageInitShape<I>): Uint8Array {
  return toBinary(schema, create(schema, request));
}

/** The one message of an answer. Two, or none without a status, are none that can be trusted. */
async function only<O>(method: DescMethod, answers: AsyncIterable<O>): Promise<O> {
  const found: O[] = [];
  for await (const answer of answers) found.push(answer);
  const [first] = found;
  if (found.length === 1 && first !== undefined) return first;
  throw new TalosError({
    reason: "BadResponse",
    message: `${method.parent.typeName}/${method.name}: ` +
      `the answer has ${found.length} messages in the place of one`,
  });
}

function given(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
