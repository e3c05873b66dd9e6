import type { ObjectMeta } from "kubernetes-types/meta/v1.d.ts";

export type { ObjectMeta };

/** Any object of the API. Rooms extend it with the fields that they read. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** A kind of object, in one namespace or (without `namespace`) in all or none. */
export interface ResourceRef {
  /** `v1` or `group/version`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
}

/** One object. */
export interface ObjectRef extends ResourceRef {
  readonly name: string;
}

/** Bounds of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call. @default the client's, 30 s */
  readonly timeout?: number;
  /** The largest answer that is taken, in bytes. @default 64 MiB */
  readonly maxBody?: number;
}

/** Which objects are meant. */
export interface SelectOptions {
  /** For example `app=web,tier in (a,b)`. */
  readonly labelSelector?: string;
  /** For example `spec.nodeName=n1`. */
  readonly fieldSelector?: string;
}

/** Options of a list. */
export interface ListOptions extends CallOptions, SelectOptions {
  /** The most objects that are wanted. @default all */
  readonly limit?: number;
}

/** Options of a read. */
export interface GetOptions extends CallOptions {
  /** For example `status` or `scale`. */
  readonly subresource?: string;
}

/** Options of a write. */
export interface WriteOptions extends GetOptions {
  /** Who owns the fields written. @default the client's, `holdfast` */
  readonly fieldManager?: string;
  /** Everything happens but the writing. @default false */
  readonly dryRun?: boolean;
}

/** Options of a server-side apply. */
export interface ApplyOptions extends WriteOptions {
  /** Take fields that others own. @default false */
  readonly force?: boolean;
}

/** A change to an object. */
export interface Patch {
  /** JSON merge patch (RFC 7386), JSON patch (RFC 6902) or Kubernetes' strategic merge patch. */
  readonly type: "merge" | "json" | "strategic";
  readonly body: unknown;
}

/** Options of a deletion. */
export interface DeleteOptions extends CallOptions {
  /** @default "Background" */
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  /** Delete only this incarnation or this version. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  /** @default the object's own */
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: boolean;
}

/** Options of the deletion of many. */
export interface DeleteCollectionOptions extends DeleteOptions, SelectOptions {}

/** All objects of a list and the version to watch from. */
export interface KubeList<T extends KubeObject> {
  readonly items: T[];
  readonly resourceVersion: string;
}

/** What a watch reports. A bookmark carries only a new `metadata.resourceVersion`. */
export interface WatchEvent<T extends KubeObject = KubeObject> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

/** Options of {@linkcode KubeClient.watch}. */
export interface WatchOptions extends SelectOptions {
  /** Changes after this version; without it the present objects come first, as ADDED. */
  readonly resourceVersion?: string;
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode KubeClient.reflect}. */
export interface ReflectOptions extends SelectOptions {
  /** Ends the generator. */
  readonly signal: AbortSignal;
}

/** Everything of one kind at a moment, by `namespace/name` (by `name` where it has no namespace). */
export type Snapshot<T extends KubeObject = KubeObject> = ReadonlyMap<string, T>;

/** Options of {@linkcode KubeClient.request}. */
export interface RequestOptions extends CallOptions {
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** A text or bytes as they are; anything else is sent as JSON. */
  readonly body?: unknown;
  /** @default "application/json" */
  readonly contentType?: string;
  /** @default "application/json" */
  readonly accept?: string;
}
