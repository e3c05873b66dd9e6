import * as v from "valibot";
import type { KubeClient } from "../kube/mod.ts";

/** One revision of a release, from the labels of Helm's Secret. */
export interface Revision {
  /** 1 is the first. */
  readonly revision: number;
  /** `deployed`, `superseded`, `failed`, `pending-install`, `pending-upgrade`, … */
  readonly status: string;
  /** Of the Secret. */
  readonly secret: string;
}

const ReleaseSecretSchema = v.looseObject({
  metadata: v.looseObject({
    name: v.string(),
    labels: v.looseObject({
      status: v.string(),
      version: v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number)),
    }),
  }),
});

/**
 * The revisions of a release, the oldest first (helm 4, pkg/storage/driver/secrets.go: labels
 * `owner=helm`, `name`, `status`, `version`).
 */
export async function releaseHistory(
  kube: KubeClient,
  namespace: string,
  release: string,
): Promise<Revision[]> {
  const { items } = await kube.list(
    { apiVersion: "v1", kind: "Secret", namespace },
    { labelSelector: `owner=helm,name=${release}` },
  );
  return items.flatMap((item) => {
    const parsed = v.safeParse(ReleaseSecretSchema, item);
    if (!parsed.success) return [];
    const { name, labels } = parsed.output.metadata;
    return [{ revision: labels.version, status: labels.status, secret: name }];
  }).sort((a, b) => a.revision - b.revision);
}

/** The newest revision that Helm says is deployed. */
export function deployedRevision(history: readonly Revision[]): number | undefined {
  return history.findLast(({ status }) => status === "deployed")?.revision;
}

/**
 * Frees a release that a crash left in the middle of an operation. Helm refuses every further
 * operation on it ("another operation … is in progress") and never clears that by itself.
 *
 * The pending revisions are forgotten; their objects stay, and carry the release's name, so that the
 * next install or upgrade takes them over. It must only be called while no Helm of ours works on the
 * release.
 *
 * @returns the history that is left.
 */
export async function repairRelease(
  kube: KubeClient,
  namespace: string,
  release: string,
): Promise<Revision[]> {
  const history = await releaseHistory(kube, namespace, release);
  const pending = history.filter(({ status }) => status.startsWith("pending-"));
  for (const { secret } of pending) {
    await kube.delete({ apiVersion: "v1", kind: "Secret", namespace, name: secret });
  }
  return history.filter((revision) => !pending.includes(revision));
}
