import { issueCa, issueServerCertificate } from "./certificates.ts";
import { MAX_CAS, type TlsContent } from "./tls_content.ts";

const DAY = 86_400_000;

/** How long certificates are used. Milliseconds. */
export interface Lives {
  /** Of a server certificate; it is renewed at two thirds. */
  readonly leaf: number;
  /**
   * Of a CA; its successor is made at two thirds, and is trusted beside it for the last third: what
   * was off meanwhile, for years, is still believed when it returns.
   */
  readonly ca: number;
  /**
   * How long everybody has to learn of a step before the next one that builds on it. A watch that broke
   * unnoticed is renewed within it.
   */
  readonly settle: number;
}

/** One year, ten years, ten minutes. */
export const LIVES: Lives = { leaf: 365 * DAY, ca: 3650 * DAY, settle: 600_000 };

/** What is next for the certificates:
 *
 * - `Keep`: nothing.
 * - `StartOver`: a CA and a certificate, in the place of what cannot be used.
 * - `AddCa`: a new CA is to be trusted, too; the certificate stays that of the old one.
 * - `IssueLeaf`: a new certificate of the newest CA.
 * - `DropOldCas`: only the newest CA is to be trusted.
 */
export type RotationStep = "Keep" | "StartOver" | "AddCa" | "IssueLeaf" | "DropOldCas";

/** What {@linkcode nextStep} has to know of the Secret. */
export interface RotationState {
  /** How many CAs are trusted. */
  readonly cas: number;
  /** Whether the newest CA can sign. */
  readonly canSign: boolean;
  /** Which of the CAs signed the certificate, 0 is the newest; `undefined` when there is none. */
  readonly issuer: number | undefined;
  readonly caIssuedAt: Date;
  readonly leafIssuedAt: Date;
}

/** What was seen of the cluster. */
export interface Observed {
  /**
   * Milliseconds, by a clock that only grows, for which the Secret was seen with just these CAs and this
   * certificate, and a webhook configuration that trusts all of these CAs.
   */
  readonly settledFor: number;
}

/**
 * What is next. Everything between two steps is in the Secret, so whoever comes may go on.
 *
 * No clock is believed for more than it can harm. A `now` before a stamp proves nothing, and nothing is
 * renewed; a `now` that jumped ahead renews early, and that is all. Whether somebody may still serve or
 * trust what goes is a question of `settledFor` alone.
 */
export function nextStep(
  state: RotationState,
  now: Date,
  { settledFor }: Observed,
  lives: Lives = LIVES,
): RotationStep {
  const { cas, canSign, issuer } = state;
  const caAge = now.getTime() - state.caIssuedAt.getTime();
  const leafAge = now.getTime() - state.leafIssuedAt.getTime();
  const isSettled = settledFor >= lives.settle;
  if (cas === 0 || (issuer === undefined && !canSign)) return "StartOver";
  // Nobody can be served with what there is.
  if (issuer === undefined) return "IssueLeaf";
  if (!canSign) return "AddCa";
  if (issuer > 0) return isSettled ? "IssueLeaf" : "Keep";
  if (cas > 1 && isSettled && caAge >= lives.ca / 3) return "DropOldCas";
  if (cas === 1 && caAge >= lives.ca * 2 / 3) return "AddCa";
  return leafAge >= lives.leaf * 2 / 3 ? "IssueLeaf" : "Keep";
}

/** The state of a Secret's content. */
export function rotationStateOf(content: TlsContent): RotationState {
  const { cas, caKey, leaf, caIssuedAt, leafIssuedAt } = content;
  return {
    cas: cas.length,
    canSign: caKey !== undefined,
    issuer: leaf?.issuer,
    caIssuedAt,
    leafIssuedAt,
  };
}

/** Certificates where there are none. */
export function newContent(now: Date): TlsContent {
  const ca = issueCa();
  return {
    cas: [ca.cert],
    caKey: ca.key,
    leaf: { ...issueServerCertificate(ca.key), issuer: 0 },
    caIssuedAt: now,
    leafIssuedAt: now,
  };
}

/** The content after a step that {@linkcode nextStep} gave for it. */
export function contentAfter(content: TlsContent, step: RotationStep, now: Date): TlsContent {
  switch (step) {
    case "Keep":
      return content;
    case "StartOver":
      return newContent(now);
    case "AddCa":
      return withNewCa(content, now);
    case "IssueLeaf":
      return withNewLeaf(content, now);
    case "DropOldCas":
      return { ...content, cas: content.cas.slice(0, 1) };
  }
}

function withNewCa(content: TlsContent, now: Date): TlsContent {
  const { leaf } = content;
  const ca = issueCa();
  // What is newer than the leaf's CA has signed nothing, and its key is lost.
  const signing = content.cas.slice(leaf?.issuer ?? 0).slice(0, MAX_CAS - 1);
  return {
    ...content,
    cas: [ca.cert, ...signing],
    caKey: ca.key,
    leaf: leaf === undefined ? undefined : { ...leaf, issuer: 1 },
    caIssuedAt: now,
  };
}

function withNewLeaf(content: TlsContent, now: Date): TlsContent {
  // `nextStep` gives this step only where there is a key.
  if (content.caKey === undefined) throw new Error("the CA cannot sign");
  const leaf = { ...issueServerCertificate(content.caKey), issuer: 0 };
  return { ...content, leaf, leafIssuedAt: now };
}
