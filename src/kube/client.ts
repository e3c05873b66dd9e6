import { type Clock, type Logger, silentLogger, systemClock } from "../std/mod.ts";
import type { ClusterAccess } from "./access.ts";
import {
  APPLY_TYPE,
  deleteOptionsOf,
  encode,
  headersOf,
  objectOf,
  PATCH_TYPES,
  queryOf,
  refOf,
  responseOf,
} from "./encoding.ts";
import { KubeError } from "./errors.ts";
import { JsonCalls } from "./json_calls.ts";
import { accessOf, inClusterAccess, type Kubeconfig, readKubeconfig } from "./kubeconfig.ts";
import { listAll } from "./list.ts";
import { reflect } from "./reflect.ts";
import { discoveryOf, ResourcePaths } from "./resources.ts";
import { Transport } from "./transport.ts";
import type {
  ApplyOptions,
  CallOptions,
  DeleteCollectionOptions,
  DeleteOptions,
  GetOptions,
  KubeList,
  KubeObject,
  ListOptions,
  ObjectRef,
  Patch,
  ReflectOptions,
  RequestOptions,
  ResourceRef,
  Snapshot,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./types.ts";
import { DEFAULT_SILENCE, watch } from "./watch.ts";

/** How a client is made. */
export interface KubeClientOptions {
  /** Who owns the fields written. @default "holdfast" */
  readonly fieldManager?: string;
  /** Milliseconds for one call. @default 30_000 */
  readonly timeout?: number;
  /** Milliseconds without a byte after which a watch is given up. @default 150_000 */
  readonly watchSilence?: number;
  /** @default silent */
  readonly logger?: Logger;
  readonly clock?: Clock;
}

const DEFAULT_TIMEOUT = 30_000;
/** The largest answer about the version, in bytes; one has about 500. */
const MAX_VERSION = 64 << 10;
const DEFAULT_FIELD_MANAGER = "holdfast";

/** A client of one API server. Every method fails with a {@linkcode KubeError}. */
export class KubeClient {
  readonly #transport: Transport;
  readonly #calls: JsonCalls;
  readonly #paths: ResourcePaths;
  readonly #fieldManager: string;
  readonly #watchSilence: number;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #writes = new Map<string, number>();

  private constructor(load: () => ClusterAccess, options: KubeClientOptions) {
    this.#logger = options.logger ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#fieldManager = options.fieldManager ?? DEFAULT_FIELD_MANAGER;
    this.#watchSilence = options.watchSilence ?? DEFAULT_SILENCE;
    this.#transport = new Transport(load, {
      timeout: options.timeout ?? DEFAULT_TIMEOUT,
      logger: this.#logger,
      clock: this.#clock,
    });
    this.#calls = new JsonCalls(this.#transport);
    this.#paths = new ResourcePaths(discoveryOf((path) => this.#calls.send("GET", path)));
  }

  /**
   * A client of a kubeconfig's current context. A file is read again when its credentials are no
   * longer accepted. Client certificates, tokens and token files are supported.
   *
   * @throws {KubeError} `BadKubeconfig`; the API server itself need not be there yet.
   */
  static fromKubeconfig(config: string | Kubeconfig, options: KubeClientOptions = {}): KubeClient {
    const load = typeof config === "string" ? () => readKubeconfig(config) : () => accessOf(config);
    return new KubeClient(load, options);
  }

  /** A client with the service account of the pod that this process runs in. */
  static inCluster(options: KubeClientOptions = {}): KubeClient {
    return new KubeClient(inClusterAccess, options);
  }

  /** A client with given credentials. */
  static fromAccess(access: ClusterAccess, options: KubeClientOptions = {}): KubeClient {
    return new KubeClient(() => access, options);
  }

  /** The API server's address. */
  get server(): string {
    return this.#transport.server;
  }

  /** The kubeconfig has just changed: the next request goes by it. */
  lookAgain(): void {
    this.#transport.lookAgain();
  }

  /** How many writing requests were sent, dry runs excepted. */
  get writes(): number {
    return [...this.#writes.values()].reduce((sum, count) => sum + count, 0);
  }

  /** {@linkcode writes} by kind; `raw` for those of {@linkcode request}. */
  get writesByKind(): ReadonlyMap<string, number> {
    return this.#writes;
  }

  /** The object, or `undefined` if it or its kind is not there. */
  async get<T extends KubeObject = KubeObject>(
    ref: ObjectRef,
    options: GetOptions = {},
  ): Promise<T | undefined> {
    try {
      const path = await this.#paths.object(ref, options.subresource);
      return objectOf<T>(await this.#calls.send("GET", path, options), ref);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** All objects, fetched page by page. */
  async list<T extends KubeObject = KubeObject>(
    ref: ResourceRef,
    options: ListOptions = {},
  ): Promise<KubeList<T>> {
    const path = await this.#paths.collection(ref);
    return await listAll<T>(
      (query) => this.#calls.send("GET", path + query, options),
      ref,
      options,
    );
  }

  /** @throws {KubeError} `AlreadyExists` among others. */
  async create<T extends KubeObject>(object: T, options: WriteOptions = {}): Promise<T> {
    const path = await this.#paths.creation(refOf(object));
    return await this.#write("POST", path, object, "application/json", object, options);
  }

  /** @throws {KubeError} `Conflict` when `metadata.resourceVersion` is not the present one. */
  async replace<T extends KubeObject>(object: T, options: WriteOptions = {}): Promise<T> {
    const path = await this.#paths.object(refOf(object), options.subresource);
    return await this.#write("PUT", path, object, "application/json", object, options);
  }

  /** Server-side apply: the fields of `object` become as they are in it and ours. */
  async apply<T extends KubeObject>(object: T, options: ApplyOptions = {}): Promise<T> {
    const path = await this.#paths.object(refOf(object), options.subresource);
    return await this.#write("PATCH", path, object, APPLY_TYPE, object, options);
  }

  /** Changes an object. */
  async patch<T extends KubeObject = KubeObject>(
    ref: ObjectRef,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    const path = await this.#paths.object(ref, options.subresource);
    return await this.#write("PATCH", path, patch.body, PATCH_TYPES[patch.type], ref, options);
  }

  /** Deletes an object; `false` when there was none. It may go only when its finalizers are done. */
  async delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<boolean> {
    try {
      await this.#delete(ref, await this.#paths.object(ref), options);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Deletes every object that the selectors choose. */
  async deleteCollection(ref: ResourceRef, options: DeleteCollectionOptions): Promise<void> {
    const { labelSelector, fieldSelector } = options;
    const query = queryOf({ labelSelector, fieldSelector });
    await this.#delete(ref, await this.#paths.creation(ref) + query, options);
  }

  /**
   * One watch: reports changes until the server ends it, `signal` aborts or the generator is left.
   *
   * @throws {KubeError} `Gone` when the version is too old, `Timeout` when it went silent.
   */
  async *watch<T extends KubeObject = KubeObject>(
    ref: ResourceRef,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const path = await this.#paths.collection(ref);
    yield* watch<T>(this.#transport, path, options, this.#watchSilence);
  }

  /**
   * What is there, again and again: all of it once it is known, then after each batch of changes.
   * Whoever is slow gets the newest state and nothing in between. It survives every failure of the
   * API server and ends only with `signal`.
   */
  reflect<T extends KubeObject = KubeObject>(
    ref: ResourceRef,
    options: ReflectOptions,
  ): AsyncGenerator<Snapshot<T>> {
    return reflect<T>(this, ref, options, { clock: this.#clock, logger: this.#logger });
  }

  /**
   * Any request, for example through the API server's proxy to a Service. The answer is whole and
   * at most 64 MiB; its status is the caller's to judge.
   *
   * @param path Begins with a slash.
   */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const body = options.body === undefined ? undefined : encode(options.body);
    if (method !== "GET" && method !== "HEAD") this.#count("raw");
    const contentType = body === undefined ? undefined : options.contentType ?? "application/json";
    const reply = await this.#transport.send({
      method,
      path: path + queryOf(options.query ?? {}),
      headers: headersOf(options.accept ?? "application/json", contentType),
      ...(body === undefined ? {} : { body }),
    }, options);
    return responseOf(reply);
  }

  /** The server's version, for example `v1.36.3`. */
  async version(options: CallOptions = {}): Promise<string> {
    let answer: { gitVersion?: unknown };
    try {
      const limited = { maxBody: MAX_VERSION, ...options };
      answer = await this.#calls.send("GET", "/version", limited) as typeof answer;
    } catch (error) {
      if (error instanceof KubeError && error.reason === "TooLarge") throw this.#noServer(error);
      throw error;
    }
    if (typeof answer.gitVersion === "string") return answer.gitVersion;
    throw this.#noServer();
  }

  /** Whether the API server says that it is ready; `false` also when it cannot be asked. */
  async ready(options: CallOptions = {}): Promise<boolean> {
    try {
      return (await this.request("GET", "/readyz", { accept: "*/*", ...options })).status === 200;
    } catch (error) {
      if (error instanceof KubeError) return false;
      throw error;
    }
  }

  /** Gives the connections back; every later call fails. */
  close(): void {
    this.#transport.close();
  }

  /** What answers in the place of an API server may give way to one. */
  #noServer(cause?: KubeError): KubeError {
    this.#transport.renew();
    return new KubeError({
      reason: "BadResponse",
      message: `GET /version: what answers at ${this.server} says no gitVersion`,
      remedy: "no API server answers so; check the address in the kubeconfig",
      ...(cause === undefined ? {} : { cause }),
    });
  }

  async #write<T extends KubeObject>(
    method: "POST" | "PUT" | "PATCH",
    path: string,
    body: unknown,
    contentType: string,
    target: ResourceRef,
    options: ApplyOptions,
  ): Promise<T> {
    if (options.dryRun !== true) this.#count(target.kind);
    const query = queryOf({
      fieldManager: options.fieldManager ?? this.#fieldManager,
      force: contentType === APPLY_TYPE && options.force === true ? "true" : undefined,
      dryRun: options.dryRun === true ? "All" : undefined,
    });
    const written = await this.#calls.send(
      method,
      path + query,
      options,
      encode(body),
      contentType,
    );
    return objectOf<T>(written, target);
  }

  async #delete(ref: ResourceRef, path: string, options: DeleteOptions): Promise<void> {
    if (options.dryRun !== true) this.#count(ref.kind);
    const body = encode(deleteOptionsOf(options));
    await this.#calls.send("DELETE", path, options, body, "application/json");
  }

  #count(kind: string): void {
    this.#writes.set(kind, (this.#writes.get(kind) ?? 0) + 1);
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.reason === "NotFound";
}
