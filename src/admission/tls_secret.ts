import * as v from "valibot";
import { type KubeClient, KubeError } from "../kube/mod.ts";
import { MANAGED_BY_LABEL, MANAGED_BY_ZARF, ZARF_NAMESPACE } from "../zarf/mod.ts";
import { issueCertificates } from "./certificates.ts";
import { AdmissionError } from "./errors.ts";

/** The Secret in namespace `zarf` that every agent reads. */
export const TLS_SECRET = "holdfast-admission-tls";

/** What the webhook is served with, PEM. */
export interface AdmissionTls {
  /** What the API server has to trust: `caBundle` of the configuration. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * The certificates of the webhook, made if there are none. All agents serve the same ones, because
 * the API server of each node is told the same CA: whoever creates the Secret first wins, the others
 * take what is there. Namespace `zarf` must exist.
 *
 * @throws {AdmissionError} `TlsInvalid` when a Secret of this name holds something else.
 */
export async function ensureAdmissionTls(kube: KubeClient): Promise<AdmissionTls> {
  const found = await loadAdmissionTls(kube);
  if (found !== undefined) return found;
  try {
    return parseAdmissionTls(await kube.create(newSecret()));
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === "AlreadyExists")) throw error;
    const winner = await loadAdmissionTls(kube);
    if (winner === undefined) throw error;
    return winner;
  }
}

/**
 * The certificates of the webhook, or `undefined` while nobody has made them.
 *
 * @throws {AdmissionError} `TlsInvalid` when the Secret holds something else.
 */
export async function loadAdmissionTls(kube: KubeClient): Promise<AdmissionTls | undefined> {
  const secret = await kube.get({
    apiVersion: "v1",
    kind: "Secret",
    namespace: ZARF_NAMESPACE,
    name: TLS_SECRET,
  });
  return secret === undefined ? undefined : parseAdmissionTls(secret);
}

function newSecret() {
  const { ca, caKey, cert, key } = issueCertificates();
  const base64 = (text: string) => new TextEncoder().encode(text).toBase64();
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: TLS_SECRET,
      namespace: ZARF_NAMESPACE,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY_ZARF },
    },
    type: "Opaque",
    data: {
      "ca.crt": base64(ca),
      // Kept for renewal: a new server certificate must not need a new CA.
      "ca.key": base64(caKey),
      "tls.crt": base64(cert),
      "tls.key": base64(key),
    },
  };
}

/** Base64 of one PEM block with this label, decoded. */
function pemIn(label: string) {
  return v.pipe(
    v.string(),
    v.base64(),
    v.transform((text) => new TextDecoder().decode(Uint8Array.fromBase64(text))),
    v.check((text) =>
      text.startsWith(`-----BEGIN ${label}-----\n`) &&
      text.trimEnd().endsWith(`\n-----END ${label}-----`)
    ),
  );
}

const SecretSchema = v.looseObject({
  data: v.looseObject({
    "ca.crt": pemIn("CERTIFICATE"),
    "tls.crt": pemIn("CERTIFICATE"),
    "tls.key": pemIn("PRIVATE KEY"),
  }),
});

/**
 * The certificates in Secret `zarf/holdfast-admission-tls`.
 *
 * @throws {AdmissionError} `TlsInvalid` when it holds something else.
 */
export function parseAdmissionTls(secret: unknown): AdmissionTls {
  const parsed = v.safeParse(SecretSchema, secret);
  if (!parsed.success) {
    const where = v.getDotPath(parsed.issues[0]) ?? "data";
    throw new AdmissionError({
      reason: "TlsInvalid",
      message: `Secret ${ZARF_NAMESPACE}/${TLS_SECRET} does not hold the webhook's certificates: ` +
        `${where} is not what it should be`,
      kept: "the Secret is unchanged",
      remedy: "delete the Secret; it is made again",
      disposition: "wait",
    });
  }
  const { "ca.crt": ca, "tls.crt": cert, "tls.key": key } = parsed.output.data;
  return { ca, cert, key };
}
