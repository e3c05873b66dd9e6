import { type KubeClient, KubeError, type KubeObject, type ObjectMeta } from "../kube/mod.ts";
import { ZARF_NAMESPACE } from "../zarf/mod.ts";
import { AdmissionError } from "./errors.ts";
import { readContent, TLS_SECRET, TLS_SECRET_REF, type TlsContent } from "./tls_content.ts";

/** What the webhook is served with, PEM. */
export interface AdmissionTls {
  /** What the API server has to trust, one CA or several: `caBundle` of the configuration. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * The certificates of the webhook, or `undefined` while nobody has made them.
 *
 * @throws {AdmissionError} `TlsInvalid` when the Secret holds something else.
 */
export async function loadAdmissionTls(kube: KubeClient): Promise<AdmissionTls | undefined> {
  const secret = await kube.get(TLS_SECRET_REF);
  return secret === undefined ? undefined : parseAdmissionTls(secret);
}

/**
 * What a Secret holds that was read elsewhere, for example by a watch.
 *
 * @throws {AdmissionError} `TlsInvalid`.
 */
export function parseAdmissionTls(secret: KubeObject): AdmissionTls {
  const content = readContent(secret);
  const tls = tlsOf(content);
  if (content.flaw === undefined && tls !== undefined) return tls;
  throw new AdmissionError({
    reason: "TlsInvalid",
    message: `Secret ${ZARF_NAMESPACE}/${TLS_SECRET} does not hold the webhook's certificates: ` +
      `${content.flaw}`,
    kept: "the webhook is served with what it had before",
    remedy: "wait: an agent that leads makes them again",
    disposition: "wait",
  });
}

/** What is served of a content; `undefined` when there is no certificate. */
export function tlsOf({ cas, leaf }: TlsContent): AdmissionTls | undefined {
  return leaf === undefined ? undefined : { ca: cas.join(""), cert: leaf.cert, key: leaf.key };
}

/**
 * Writes the Secret over the version that was read, or anew when it cannot be changed.
 *
 * @throws {KubeError} `Conflict` or `AlreadyExists` when somebody else was faster.
 */
export async function writeSecret(
  kube: KubeClient,
  secret: KubeObject,
  options: { readonly signal?: AbortSignal },
): Promise<KubeObject> {
  const { resourceVersion } = secret.metadata;
  if (resourceVersion === undefined) return await kube.create(secret, options);
  try {
    return await kube.replace(secret, options);
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === "Invalid")) throw error;
    // Somebody made it immutable, or of another type.
    await kube.delete(TLS_SECRET_REF, { ...options, preconditions: { resourceVersion } });
    const { name, namespace, labels = {}, annotations = {} } = secret.metadata;
    return await kube.create(
      { ...secret, metadata: { name, namespace, labels, annotations } as ObjectMeta },
      options,
    );
  }
}
