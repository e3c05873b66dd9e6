import type { KubeObject } from "../../../../src/kube/mod.ts";
import { normalisedRecord } from "./record.ts";
import { releaseOf } from "./release.ts";

type Json = Record<string, unknown>;

/** Every object of a cluster by what it is called, without what chance and time made of it. */
export type Normalised = ReadonlyMap<string, unknown>;

/** What the server gives out, and what no two clusters have in common. */
const SERVER_FIELDS = ["uid", "resourceVersion", "creationTimestamp"];
/** Texts that are made up anew each time, and what is written for them. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, "<time>"],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uid>"],
  [/kube-api-access-[a-z0-9]{5}\b/g, "kube-api-access-<x>"],
  [/-----BEGIN [A-Z ]+-----[\s\S]*?-----END [A-Z ]+-----\n?/g, "<pem>"],
  [/^LS0tLS1CRUdJTi[A-Za-z0-9+/=]+$/g, "<pem>"],
  // The version of a chart of manifests.
  [/\b0\.1\.\d{10}\b/g, "0.1.<time>"],
  [/\b172\.29\.\d+\.\d+\b/g, "<node>"],
];

/** Makes the objects of two clusters comparable. */
export function normalise(objects: readonly KubeObject[]): Normalised {
  const texts = new Texts(objects);
  const all = new Map<string, unknown>();
  const deployed = objects.filter((one) => !isOfTheSite(one));
  for (const object of deployed.map((one) => texts.clean(prepared(one)) as KubeObject)) {
    const { kind, apiVersion, metadata } = object;
    const base = `${kind} ${apiVersion} ${metadata.namespace ?? ""}/${metadata.name}`;
    let key = base;
    for (let at = 2; all.has(key); at++) key = `${base} #${at}`;
    all.set(key, object);
  }
  return all;
}

/** What was there before: Holdfast made it on both clusters. */
function isOfTheSite({ metadata: { namespace, name = "" } }: KubeObject): boolean {
  return namespace === "zarf" &&
    /^(sh\.helm\.release\.v1\.)?(zarf-docker-registry|holdfast)/.test(name);
}

/** The parts of objects that addresses and passwords are in. */
interface Telling {
  readonly kind?: string;
  readonly metadata: { readonly name?: string; readonly namespace?: string };
  readonly spec?: { readonly clusterIPs?: readonly string[] };
  readonly status?: { readonly podIPs?: readonly { readonly ip: string }[] };
  readonly data?: { readonly state?: string };
}

/** The addresses and passwords of a cluster, by what they are for. */
class Texts {
  readonly #names = new Map<string, string>();

  constructor(objects: readonly KubeObject[]) {
    for (const { kind, metadata, spec, status, data } of objects as readonly Telling[]) {
      const name = `${metadata.namespace}/${metadata.name}`;
      if (kind === "Service") {
        for (const ip of spec?.clusterIPs ?? []) this.#add(ip, `<ip of ${name}>`);
      }
      if (kind === "Pod") {
        for (const { ip } of status?.podIPs ?? []) this.#add(ip, "<ip of a pod>");
      }
      if (name === "zarf/zarf-state") this.#addState(JSON.parse(atob(data?.state ?? "")));
    }
  }

  #addState(state: Readonly<Record<string, Json>>): void {
    for (const part of ["registryInfo", "gitServer", "artifactServer"]) {
      for (const [key, value] of Object.entries(state[part] ?? {})) {
        if (/password|secret|token/i.test(key)) this.#add(String(value), `<${part} ${key}>`);
      }
    }
  }

  #add(text: string, name: string): void {
    if (text !== "" && text !== "None") this.#names.set(text, name);
  }

  clean(value: unknown): unknown {
    if (typeof value === "string") return this.#text(value);
    if (Array.isArray(value)) return value.map((one) => this.clean(one));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [this.#text(key), this.clean(one)]),
    );
  }

  #text(text: string): string {
    const cleaned = PATTERNS.reduce((at, [pattern, name]) => at.replaceAll(pattern, name), text);
    return cleaned.replaceAll(
      /\d+(\.\d+){3}|[A-Za-z0-9!~_-]{12,}/g,
      (word) => this.#names.get(word) ?? word,
    );
  }
}

/** One object with what it holds readable, and without what says nothing. */
function prepared(object: KubeObject): Json {
  const { metadata, kind } = object;
  const made: Json = { ...metadata };
  for (const field of SERVER_FIELDS) delete made[field];
  if (typeof made["generateName"] === "string") made["name"] = `${made["generateName"]}*`;
  made["managedFields"] = managers(made["managedFields"]);
  const one: Json = { ...object, metadata: made };
  if (kind === "Secret") one["data"] = secretData(object);
  if (one["type"] === HELM_RELEASE) {
    made["labels"] = { ...metadata.labels, modifiedAt: "<time>" };
  }
  if (kind === "Pod") one["status"] = podStatus(one["status"] as PodStatus);
  if (kind === "MutatingWebhookConfiguration") one["webhooks"] = "those of Holdfast";
  return one;
}

const HELM_RELEASE = "helm.sh/release.v1";

interface Manager {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly fieldsV1?: unknown;
}

/** Who set which fields; what controllers say in the status is not told. */
function managers(fields: unknown): unknown {
  return ((fields ?? []) as Manager[])
    .filter(({ subresource }) => subresource === undefined)
    .map(({ manager, operation, fieldsV1 }) => ({ by: `${manager} ${operation}`, fieldsV1 }))
    .sort((a, b) => (a.by < b.by ? -1 : 1));
}

interface PodStatus {
  readonly phase: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

function podStatus({ phase, conditions = [] }: PodStatus): unknown {
  return { phase, ready: conditions.find(({ type }) => type === "Ready")?.status };
}

function secretData({ metadata: { name = "" }, ...rest }: KubeObject): unknown {
  const { data = {}, type } = rest as { data?: Record<string, string>; type?: string };
  return Object.fromEntries(
    Object.entries(data).map(([key, encoded]) => {
      const text = new TextDecoder().decode(Uint8Array.fromBase64(encoded));
      if (type === HELM_RELEASE) return [key, releaseOf(text)];
      if (name.startsWith("zarf-package-")) return [key, normalisedRecord(JSON.parse(text))];
      if (type === "kubernetes.io/dockerconfigjson") return [key, logins(JSON.parse(text))];
      return [key, name === "zarf-state" ? JSON.parse(text) : text];
    }),
  );
}

/** User and password by host. */
function logins({ auths }: { auths: Record<string, { auth: string }> }): unknown {
  return Object.fromEntries(
    Object.entries(auths).map(([host, { auth }]) => {
      const [user, ...password] = atob(auth).split(":");
      return [host, { user, password: password.join(":") }];
    }),
  );
}
