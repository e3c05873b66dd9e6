import { Random } from "../../../fuzz/random.ts";

/** An object of Kubernetes as JSON has it. */
export type Json = Readonly<Record<string, unknown>>;

/** What is asked of a webhook. */
export interface AdmissionCase {
  /** Zarf's path for the kind; Holdfast has the same. */
  readonly path: string;
  readonly request: AdmissionQuestion;
}

/** The `request` of an AdmissionReview, as far as a webhook looks at it. */
export interface AdmissionQuestion {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly operation: "CREATE" | "UPDATE";
  readonly namespace: string;
  readonly subResource?: string;
  readonly object: Json;
  readonly oldObject?: Json;
}

/** The namespaces of the cluster with their labels; no webhook sees `kube-system`. */
export const NAMESPACES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  plain: {},
  other: { "zarf.dev/agent": "other" },
  wanted: { "zarf.dev/agent": "mutate" },
  ignored: { "zarf.dev/agent": "ignore" },
  skipped: { "zarf.dev/agent": "skip" },
  "kube-system": {},
};

/** Where things of the site are, for objects that name them already. */
export interface SiteNames {
  /** `zarf-docker-registry.zarf.svc.cluster.local:5000` */
  readonly serviceAddress: string;
  /** `10.98.1.2:5000` */
  readonly clusterAddress: string;
  /** `http://zarf-gitea-http.zarf.svc.cluster.local:3000` */
  readonly gitAddress: string;
}

/** A namespace, mostly one in which something happens. */
export function someNamespace(random: Random): string {
  return random.percent(60) ? "plain" : random.pick(Object.keys(NAMESPACES));
}

/** Labels and annotations as people, Helm and an earlier call of the webhook leave them. */
export function someMetadata(random: Random): Json {
  const labels: Record<string, string> = {};
  if (random.percent(40)) labels["app.kubernetes.io/name"] = "a";
  if (random.percent(20)) labels["a/b~c"] = "é";
  if (random.percent(12)) labels["zarf-agent"] = random.pick(["patched", "patched", "no", ""]);
  if (random.percent(20)) {
    labels["zarf.dev/agent"] = random.pick(["mutate", "mutate", "ignore", "skip", "other", ""]);
  }
  const annotations = random.pick([
    {},
    { note: "kept" },
    { note: "kept", "zarf.dev/original-image-web": "an/older:one" },
  ]);
  const maps = (name: string, map: Json) =>
    Object.keys(map).length > 0 || random.percent(10) ? { [name]: map } : {};
  return { name: "one", ...maps("labels", labels), ...maps("annotations", annotations) };
}

/** Some of the choices, in order; seldom none. */
export function someOf<T>(random: Random, most: number, make: (at: number) => T): T[] {
  const count = random.percent(8) ? 0 : 1 + random.below(most);
  return Array.from({ length: count }, (_, at) => make(at));
}
