import { type CallOptions, type KubeClient, KubeError, type KubeObject } from "../kube/mod.ts";
import { type AdmissionTls, createAdmissionTls, needsRenewal } from "./certificates.ts";

/**
 * Where the webhook's certificate is kept for all nodes. Not in Zarf's own state: with a certificate
 * there `zarf` believes in an agent of its own and checks it.
 */
const SECRET = {
  apiVersion: "v1",
  kind: "Secret",
  namespace: "zarf",
  name: "holdfast-admission-tls",
} as const;

interface TlsSecret extends KubeObject {
  data?: Readonly<Record<string, string>>;
}

/** The certificate that the cluster holds, if there is one that can be read. */
export async function loadAdmissionTls(
  kube: KubeClient,
  options: CallOptions = {},
): Promise<AdmissionTls | undefined> {
  return tlsOf(await kube.get<TlsSecret>(SECRET, options));
}

/**
 * The certificate that the cluster holds; it is made when it is missing and made anew in its last
 * third. Safe to call from several nodes at once: all get the same. Writes nothing otherwise.
 */
export async function ensureAdmissionTls(
  kube: KubeClient,
  options: CallOptions & { readonly now?: Date } = {},
): Promise<AdmissionTls> {
  const found = await kube.get<TlsSecret>(SECRET, options);
  const present = tlsOf(found);
  if (present !== undefined && !needsRenewal(present, options.now)) return present;
  const tls = await createAdmissionTls(options.now);
  const { apiVersion, kind, namespace, name } = SECRET;
  const secret: TlsSecret & { type: string } = {
    apiVersion,
    kind,
    metadata: found?.metadata ?? {
      namespace,
      name,
      labels: { "app.kubernetes.io/managed-by": "holdfast" },
    },
    type: "kubernetes.io/tls",
    data: {
      "ca.crt": btoa(tls.ca),
      "tls.crt": btoa(tls.cert),
      "tls.key": btoa(tls.key),
    },
  };
  try {
    if (found === undefined) await kube.create(secret, options);
    else await kube.replace(secret, options);
    return tls;
  } catch (error) {
    const second = error instanceof KubeError &&
      (error.reason === "AlreadyExists" || error.reason === "Conflict");
    const theirs = second ? await loadAdmissionTls(kube, options) : undefined;
    if (theirs === undefined) throw error;
    return theirs;
  }
}

function tlsOf(secret: TlsSecret | undefined): AdmissionTls | undefined {
  const { "ca.crt": ca, "tls.crt": cert, "tls.key": key } = secret?.data ?? {};
  if (!ca || !cert || !key) return undefined;
  try {
    return { ca: atob(ca), cert: atob(cert), key: atob(key) };
  } catch {
    return undefined;
  }
}
