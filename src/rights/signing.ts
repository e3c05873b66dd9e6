import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import * as v from "valibot";
import { type KubeClient, KubeError } from "../kube/mod.ts";
import { backoffDelay, type Clock } from "../std/mod.ts";
import { requestPem } from "./certificate_request.ts";
import { RightsError } from "./errors.ts";
import {
  LIFETIME_SECONDS,
  NODE_USER_PREFIX,
  NODES_GROUP,
  REQUESTS,
  SIGNER,
  USAGES,
} from "./names.ts";

/** Milliseconds until a request that nobody answers is said to be so, and looked at from the start. */
export const ANSWER_TIMEOUT = 10 * 60_000;
/** Milliseconds between two looks at a request: at first, and at most. */
const LOOK = { initial: 300, max: 10_000 };

/** What is asked for. */
export interface SigningOptions {
  /** As the kubelet of the node. */
  readonly kube: KubeClient;
  readonly nodeName: string;
  /** PEM, on P-256. */
  readonly key: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called with the request's name once it is there. */
  readonly onRequest: (name: string) => void;
}

const RequestSchema = v.looseObject({
  status: v.nullish(v.looseObject({
    certificate: v.nullish(v.string()),
    conditions: v.nullish(v.array(v.looseObject({
      type: v.string(),
      message: v.optional(v.string(), ""),
    }))),
  })),
});

/** The request's name: the same for the same key, so that asking again finds what was asked. */
export function requestName(nodeName: string, key: string): string {
  const spki = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "der" });
  const hash = createHash("sha256").update(spki).digest("hex").slice(0, 16);
  return `holdfast-${nodeName}-${hash}`;
}

/**
 * Asks for a certificate and waits until it is there, PEM.
 *
 * @throws {RightsError} `Denied`, `SigningFailed`, `RequestGone`, `NotApproved`, `CertificateUnusable`.
 * @throws {KubeError}
 */
export async function signedCertificate(options: SigningOptions): Promise<string> {
  const { kube, nodeName, key, clock, signal, onRequest } = options;
  const name = requestName(nodeName, key);
  await ask(kube, name, options);
  onRequest(name);
  const deadline = clock.monotonic() + ANSWER_TIMEOUT;
  for (let look = 0; clock.monotonic() < deadline; look++) {
    await clock.sleep(backoffDelay(look, LOOK), signal);
    signal.throwIfAborted();
    const certificate = answerOf(name, await kube.get({ ...REQUESTS, name }, { signal }));
    if (certificate === undefined) continue;
    requireMatch(certificate, key);
    return certificate;
  }
  throw new RightsError({
    reason: "NotApproved",
    message: `nobody has answered the certificate signing request ${name}`,
    remedy: "an agent must run on a control plane; it approves by itself",
    disposition: "wait",
  });
}

async function ask(kube: KubeClient, name: string, options: SigningOptions): Promise<void> {
  const { nodeName, key, signal } = options;
  const request = requestPem(createPrivateKey(key), {
    commonName: NODE_USER_PREFIX + nodeName,
    organization: NODES_GROUP,
  });
  try {
    await kube.create({
      ...REQUESTS,
      metadata: { name },
      spec: {
        signerName: SIGNER,
        request: new TextEncoder().encode(request).toBase64(),
        usages: [...USAGES],
        expirationSeconds: LIFETIME_SECONDS,
      },
    }, { signal });
  } catch (error) {
    // It was asked for before; the same key, so the same answer.
    if (!(error instanceof KubeError && error.reason === "AlreadyExists")) throw error;
  }
}

/** The certificate, or undefined while there is no answer. */
function answerOf(name: string, object: unknown): string | undefined {
  if (object === undefined) {
    throw new RightsError({
      reason: "RequestGone",
      message: `the certificate signing request ${name} was removed`,
      disposition: "retry",
    });
  }
  const { status } = v.parse(RequestSchema, object);
  for (const { type, message } of status?.conditions ?? []) {
    if (type !== "Denied" && type !== "Failed") continue;
    throw new RightsError({
      reason: type === "Denied" ? "Denied" : "SigningFailed",
      message: `the certificate signing request ${name} ` +
        `${type === "Denied" ? "was denied" : "could not be signed"}: ${message}`,
      kept: "packages are taken in and wait",
      disposition: "wait",
    });
  }
  const encoded = status?.certificate ?? "";
  return encoded === "" ? undefined : new TextDecoder().decode(Uint8Array.fromBase64(encoded));
}

function requireMatch(certificate: string, key: string): void {
  try {
    if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return;
  } catch {
    // Said below.
  }
  throw new RightsError({
    reason: "CertificateUnusable",
    message: "the certificate that was issued is not one of this node's key",
    disposition: "retry",
  });
}
