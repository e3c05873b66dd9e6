import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import * as v from "valibot";
import type { KubeObject, ObjectMeta, ObjectRef } from "../kube/mod.ts";
import { MANAGED_BY_LABEL, MANAGED_BY_ZARF, ZARF_NAMESPACE } from "../zarf/mod.ts";
import type { CertificateAndKey } from "./certificates.ts";

/** The Secret in namespace `zarf` that every agent reads. */
export const TLS_SECRET = "holdfast-admission-tls";

/** The same, to read and write it. */
export const TLS_SECRET_REF = {
  apiVersion: "v1",
  kind: "Secret",
  namespace: ZARF_NAMESPACE,
  name: TLS_SECRET,
} as const satisfies ObjectRef;

/** When the newest CA and the server certificate were made; without one it is when the Secret was. */
export const CA_ISSUED_AT = "holdfast.dev/ca-issued-at";
export const CERTIFICATE_ISSUED_AT = "holdfast.dev/certificate-issued-at";

/** The most CAs that are trusted at a time: two, and room for a CA whose key was lost on the way. */
export const MAX_CAS = 4;

/** What the Secret holds, as far as it can be used. */
export interface TlsContent {
  /** The CAs that are to be trusted, PEM, the newest first; none when they cannot be read. */
  readonly cas: readonly string[];
  /** The key of the newest CA, PEM. */
  readonly caKey: string | undefined;
  readonly leaf: Leaf | undefined;
  readonly caIssuedAt: Date;
  readonly leafIssuedAt: Date;
}

/** A server certificate with the key that fits it. */
export interface Leaf extends CertificateAndKey {
  /** Which of the CAs signed it. */
  readonly issuer: number;
}

/** What was read, and what is wrong with it, as a clause: `data.tls.key is not a key`. */
export interface ReadContent extends TlsContent {
  readonly flaw: string | undefined;
}

/** Reads a Secret; what is not what this room writes is left out and named. */
export function readContent(secret: KubeObject): ReadContent {
  const { data } = v.parse(SecretSchema, secret);
  const cas = casIn(textOf(data?.["ca.crt"]));
  const caKey = textOf(data?.["ca.key"]);
  const leaf = leafOf(textOf(data?.["tls.crt"]), textOf(data?.["tls.key"]), cas);
  const [newest] = cas;
  return {
    cas: cas.map(pemOf),
    caKey: newest !== undefined && caKey !== undefined && fits(newest, caKey) ? caKey : undefined,
    leaf: typeof leaf === "string" ? undefined : leaf,
    caIssuedAt: stampOf(secret.metadata, CA_ISSUED_AT),
    leafIssuedAt: stampOf(secret.metadata, CERTIFICATE_ISSUED_AT),
    flaw: newest === undefined
      ? "data.ca.crt does not hold certificates of CAs"
      : typeof leaf === "string"
      ? leaf
      : undefined,
  };
}

/** The Secret with this content in the place of what `base` has. */
export function secretOf(content: TlsContent, base?: KubeObject): KubeObject {
  const base64 = (text: string) => new TextEncoder().encode(text).toBase64();
  const { cas, caKey, leaf, caIssuedAt, leafIssuedAt } = content;
  return {
    apiVersion: TLS_SECRET_REF.apiVersion,
    kind: TLS_SECRET_REF.kind,
    metadata: {
      ...base?.metadata,
      name: TLS_SECRET,
      namespace: ZARF_NAMESPACE,
      labels: { ...base?.metadata.labels, [MANAGED_BY_LABEL]: MANAGED_BY_ZARF },
      annotations: {
        ...base?.metadata.annotations,
        [CA_ISSUED_AT]: caIssuedAt.toISOString(),
        [CERTIFICATE_ISSUED_AT]: leafIssuedAt.toISOString(),
      },
    },
    type: "Opaque",
    data: {
      "ca.crt": base64(cas.join("")),
      // Only the newest one's is needed: what an older CA signed is not signed again.
      ...(caKey === undefined ? {} : { "ca.key": base64(caKey) }),
      ...(leaf === undefined ? {} : { "tls.crt": base64(leaf.cert), "tls.key": base64(leaf.key) }),
    },
  };
}

const SecretSchema = v.looseObject({
  data: v.nullish(v.record(v.string(), v.unknown())),
});

/** Of a value in `data`, the text; `undefined` when it is none. */
function textOf(value: unknown): string | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.base64()), value);
  if (!parsed.success) return undefined;
  return new TextDecoder().decode(Uint8Array.fromBase64(parsed.output));
}

function casIn(text = ""): X509Certificate[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  const cas = blocks.map(certificateOf).filter((one) => one?.ca === true);
  const isWhole = cas.length === blocks.length && cas.length <= MAX_CAS;
  return isWhole ? cas.filter((one) => one !== undefined) : [];
}

/** The leaf, or what is wrong with it. */
function leafOf(
  cert: string | undefined,
  key: string | undefined,
  cas: readonly X509Certificate[],
): Leaf | string {
  const parsed = cert === undefined ? undefined : certificateOf(cert);
  if (cert === undefined || parsed === undefined) return "data.tls.crt is not a certificate";
  if (key === undefined || !fits(parsed, key)) {
    return "data.tls.key is not the key of data.tls.crt";
  }
  const issuer = cas.findIndex((ca) => parsed.verify(ca.publicKey));
  return issuer < 0 ? "data.tls.crt is by none of data.ca.crt" : { cert, key, issuer };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function fits(certificate: X509Certificate, key: string): boolean {
  const spki = { type: "spki", format: "der" } as const;
  try {
    const own = createPublicKey(createPrivateKey(key)).export(spki);
    return own.equals(certificate.publicKey.export(spki));
  } catch {
    return false;
  }
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString().trimEnd()}\n`;
}

/** An old Secret has no stamps; what was made with it is as old as it. */
function stampOf({ annotations, creationTimestamp }: ObjectMeta, name: string): Date {
  const times = [annotations?.[name], creationTimestamp].map((text) => Date.parse(text ?? ""));
  return new Date(times.find((time) => !Number.isNaN(time)) ?? 0);
}
