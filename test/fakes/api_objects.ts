/**
 * The objects of an API server in memory, over real HTTPS: enough of GET, LIST, WATCH, POST, PUT,
 * PATCH (merge, apply, JSON) and DELETE for level-based code to be started, killed and started again in
 * milliseconds. Nothing is validated, nothing runs, nobody is refused: whether a cluster likes what is
 * written is for the tests in test/e2e, which have a real one.
 *
 * @module
 */
import type { KubeClient, KubeClientOptions, KubeObject } from "../../src/kube/mod.ts";
import { ApiPeer, Pipe, type SeenRequest, status } from "./api_peer.ts";
import {
  type AnyObject,
  isChosen,
  keyOf,
  type Target,
  targetOf,
  targetOfPath,
} from "./api_targets.ts";
import { applyPatch } from "./json_patch.ts";
import { merge, without } from "./merge_patch.ts";

export type { AnyObject };

interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly version: number;
  readonly key: string;
  readonly object: AnyObject;
  /** What it was before. */
  readonly before: AnyObject | undefined;
}

/** See the module's comment. */
export class ApiObjects implements AsyncDisposable {
  readonly client: KubeClient;
  readonly peer: ApiPeer;
  /** Writing requests that were carried out: `POST configmaps/zarf-payload-000`. */
  readonly writes: string[] = [];
  /** Answers in the server's place where it gives something. */
  intercept: (request: SeenRequest) => Response | undefined | Promise<Response | undefined> = () =>
    undefined;
  /** What containers have printed, by pod. */
  readonly logs = new Map<string, string>();
  /** Called after each change, as a controller is that acts on it. */
  onChange: (object: AnyObject, type: Change["type"]) => void = () => {};
  readonly #objects = new Map<string, AnyObject>();
  readonly #applied = new Map<string, unknown>();
  readonly #changes: Change[] = [];
  readonly #watches = new Set<(change: Change) => void>();
  #version = 1;

  constructor(options: KubeClientOptions = {}) {
    this.peer = new ApiPeer((request, raw) => this.#answer(request, raw), options);
    this.client = this.peer.client;
    for (const name of ["default", "kube-system"]) this.put(namespace(name));
  }

  /** Puts an object there, as somebody else would; it is not among the {@linkcode writes}. */
  put(object: KubeObject): void {
    this.#store(keyOf(targetOf(object)), structuredClone(object) as AnyObject);
  }

  /** The object of a kind's plural with this name, whatever its namespace. */
  find(plural: string, name: string): AnyObject | undefined {
    return this.all(plural).find((one) => one.metadata.name === name);
  }

  /** What is there under the kind, namespace and name of an object. */
  like(object: KubeObject): AnyObject | undefined {
    return this.#objects.get(keyOf(targetOf(object)));
  }

  /** All objects of a kind's plural, in the order of their keys. */
  all(plural: string): AnyObject[] {
    return [...this.#objects].filter(([key]) => key.split("|")[1] === plural)
      .sort(([a], [b]) => a < b ? -1 : 1).map(([, object]) => object);
  }

  /** Takes an object away, as somebody else would. */
  remove(object: KubeObject): void {
    this.#drop(keyOf(targetOf(object)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
  }

  async #answer(request: SeenRequest, raw: Request): Promise<Response> {
    const instead = await this.intercept(request);
    if (instead !== undefined) return instead;
    if (request.path === "/version") return Response.json({ gitVersion: "v1.36.3" });
    const logOf = /\/pods\/([^/]+)\/log$/.exec(request.path)?.[1];
    if (logOf !== undefined) {
      const text = this.logs.get(logOf);
      return text === undefined ? status(404, "NotFound") : new Response(text);
    }
    const target = targetOfPath(request.path);
    if (target === undefined) return status(404, "NotFound");
    if (request.method === "GET") {
      if (target.name !== undefined) return this.#one(target);
      return request.query.get("watch") === "true"
        ? this.#watch(target, request, raw)
        : this.#list(target, request);
    }
    const answer = this.#write(target, request);
    if (answer.ok && request.query.get("dryRun") === null) {
      const name = target.name ?? JSON.parse(request.body).metadata.name;
      this.writes.push(`${request.method} ${target.plural}/${name}`);
    }
    return answer;
  }

  #one(target: Target): Response {
    const found = this.#objects.get(keyOf(target));
    return found === undefined ? notFound(target) : Response.json(found);
  }

  #list(target: Target, { query, headers }: SeenRequest): Response {
    const start = Number(query.get("continue") ?? 0);
    const end = start + Number(query.get("limit") ?? Infinity);
    const all = [...this.#objects].filter(([key, object]) => isChosen(key, object, target, query))
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([, { apiVersion: _, kind: __, ...object }]) => object);
    const page = all.slice(start, end);
    const partial = headers.get("accept")?.includes("as=PartialObjectMetadataList") === true;
    const items = partial ? page.map(({ metadata }) => ({ metadata })) : page;
    const next = end < all.length ? { continue: String(end) } : {};
    return Response.json({
      metadata: { resourceVersion: String(this.#version), ...next },
      items: partial && items.length === 0 ? null : items,
    });
  }

  #watch(target: Target, { query }: SeenRequest, raw: Request): Response {
    const pipe = new Pipe();
    const from = Number(query.get("resourceVersion") ?? 0);
    const tell = ({ key, object, before, type, version }: Change) => {
      if (version <= from) return;
      const was = before !== undefined && isChosen(key, before, target, query);
      // What does not match the selectors any more is gone for who watches.
      if (isChosen(key, object, target, query)) {
        pipe.event(type === "MODIFIED" && !was ? "ADDED" : type, object);
      } else if (was) pipe.event("DELETED", object);
    };
    this.#changes.forEach(tell);
    this.#watches.add(tell);
    const end = () => this.#watches.delete(tell);
    void pipe.cancelled.then(end);
    raw.signal.addEventListener("abort", end);
    return new Response(pipe.stream);
  }

  #write(target: Target, { method, body, query, headers }: SeenRequest): Response {
    const key = keyOf(target);
    const current = this.#objects.get(key);
    const { namespace } = target;
    if (namespace !== undefined && !this.#objects.has(`/api/v1|namespaces||${namespace}`)) {
      return status(404, "NotFound", `namespaces "${namespace}" not found`);
    }
    const dryRun = query.get("dryRun") !== null;
    if (method === "DELETE") {
      if (current === undefined) return notFound(target);
      const { resourceVersion: wanted } = JSON.parse(body || "{}").preconditions ?? {};
      if (wanted !== undefined && wanted !== current.metadata.resourceVersion) {
        return status(409, "Conflict", "the object has been modified");
      }
      if (!dryRun) this.#drop(key);
      return Response.json({ kind: "Status", status: "Success", metadata: {} });
    }
    const given = JSON.parse(body);
    if (method === "POST") {
      const { name = `${given.metadata.generateName}x7k2p` } = given.metadata;
      const created = keyOf({ ...target, name });
      if (this.#objects.has(created)) return status(409, "AlreadyExists", `"${name}" exists`);
      return this.#answerStored(
        created,
        { ...given, metadata: { ...given.metadata, name } },
        dryRun,
      );
    }
    const type = headers.get("content-type") ?? "";
    if (type === "application/apply-patch+yaml") {
      const owner = `${query.get("fieldManager")} ${key}`;
      const rest = without(current ?? {}, this.#applied.get(owner), given);
      if (!dryRun) this.#applied.set(owner, given);
      return this.#answerStored(key, merge(rest, given) as AnyObject, dryRun);
    }
    if (current === undefined) return notFound(target);
    const patched = type === "application/json-patch+json" ? applyPatch(current, given) : undefined;
    const { resourceVersion } = (patched as AnyObject ?? given).metadata ?? {};
    if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
      return status(409, "Conflict", "the object has been modified");
    }
    const next = patched ?? (method === "PUT" ? given : merge(current, given));
    return this.#answerStored(key, next as AnyObject, dryRun);
  }

  #answerStored(key: string, object: AnyObject, dryRun: boolean): Response {
    return Response.json(dryRun ? object : this.#store(key, object));
  }

  #store(key: string, object: AnyObject): AnyObject {
    const [, , namespace] = key.split("|");
    const { stringData, ...stored } = object;
    if (namespace) stored.metadata = { ...stored.metadata, namespace };
    for (const [name, text] of Object.entries(stringData ?? {})) {
      stored.data = { ...stored.data, [name]: new TextEncoder().encode(String(text)).toBase64() };
    }
    const before = this.#objects.get(key);
    const unversioned = (one: AnyObject) =>
      JSON.stringify({ ...one, metadata: { ...one.metadata, resourceVersion: undefined } });
    if (before !== undefined && unversioned(before) === unversioned(stored)) return before;
    stored.metadata = { ...stored.metadata, resourceVersion: String(++this.#version) };
    this.#objects.set(key, stored);
    this.#changed(key, stored, before === undefined ? "ADDED" : "MODIFIED", before);
    return this.#objects.get(key) ?? stored;
  }

  #drop(key: string): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    for (const owner of this.#applied.keys()) if (owner.endsWith(key)) this.#applied.delete(owner);
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    this.#changed(key, { ...object, metadata }, "DELETED", object);
  }

  #changed(
    key: string,
    object: AnyObject,
    type: Change["type"],
    before: AnyObject | undefined,
  ): void {
    const change = { key, object, type, before, version: this.#version };
    this.#changes.push(change);
    for (const tell of this.#watches) tell(change);
    this.onChange(object, type);
  }
}

/** A namespace, as it comes without anything in it. */
export function namespace(name: string): KubeObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

function notFound({ plural, name }: Target): Response {
  return status(404, "NotFound", `${plural} "${name}" not found`);
}
