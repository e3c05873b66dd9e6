import { applyPatch } from "../../../fakes/json_patch.ts";
import { type AdmissionHandler, webhookConfiguration } from "../../../../src/admission/mod.ts";
import type { Policy, ZarfAgents } from "../zarf_agents.ts";
import type { AdmissionCase, AdmissionQuestion, Json } from "./case.ts";
import { isSelected, type Selectors } from "./selectors.ts";

/** What becomes of the object: stored so, or refused. */
export type Outcome = { readonly stored: Json } | { readonly refused: string };

/** Asks Zarf's agent. */
export type Ask = (question: AdmissionCase) => Promise<Outcome>;

/** What Holdfast has to make of an object: what Zarf does, or what the differences say. */
export interface Wanted {
  readonly wanted: Outcome;
  /** By the names that docs/zarf-differences.md has for them. */
  readonly differences: readonly string[];
}

/** An answer of a webhook (k8s.io/api, admission/v1). */
interface Answer {
  readonly response?: {
    readonly allowed?: boolean;
    readonly patch?: string;
    readonly status?: { readonly message?: string };
  };
}

function reviewOf(request: AdmissionQuestion): Json {
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request };
}

/** What the API server makes of an answer when it insists on the webhook. */
function outcomeOf(request: AdmissionQuestion, status: number, body: string): Outcome {
  if (status !== 200) return { refused: `${status} ${body}` };
  const { response }: Answer = JSON.parse(body);
  if (response?.allowed !== true) return { refused: response?.status?.message ?? "" };
  if (response.patch === undefined) return { stored: request.object };
  const patch = JSON.parse(atobText(response.patch));
  try {
    return { stored: applyPatch(request.object, patch, { lenient: true }) as Json };
  } catch (error) {
    return { refused: `the patch does not fit: ${(error as Error).message}` };
  }
}

function atobText(base64: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(base64));
}

/** What becomes of the object of whom Zarf's agent is asked. */
export async function outcomeOfZarf(
  { path, request }: AdmissionCase,
  policy: Policy,
  agents: ZarfAgents,
  at: number,
): Promise<Outcome> {
  const response = await agents.review(policy, at, path, reviewOf(request));
  return outcomeOf(request, response.status, await response.text());
}

/** What becomes of the object with Holdfast's webhook. */
export async function outcomeOfHoldfast(
  { path, request }: AdmissionCase,
  policy: Policy,
  handler: AdmissionHandler,
): Promise<Outcome> {
  const selectors = holdfastSelectors(path, policy);
  if (!selectors.some((one) => isSelected(request, one))) return { stored: request.object };
  const asked = new Request(`https://127.0.0.1${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(reviewOf(request)),
  });
  const response = await handler(asked);
  return outcomeOf(request, response.status, await response.text());
}

/** The selectors of the webhooks for a path; of one that chooses, the answer counts. */
function holdfastSelectors(path: string, policy: Policy): readonly Selectors[] {
  const parts = { address: "127.0.0.1:7471", caBundle: "", policy };
  const webhooks = webhookConfiguration(parts)["webhooks"] as unknown as (Selectors & {
    readonly clientConfig: { readonly url: string };
  })[];
  return webhooks.filter(({ clientConfig }) => clientConfig.url.endsWith(path));
}

/** As the API server keeps it: it knows no empty maps and lists in places that may be absent. */
export function normalized(outcome: Outcome): Json {
  if ("refused" in outcome) return { refused: true };
  return JSON.parse(JSON.stringify(outcome.stored), (key, value) => {
    const optional = ["labels", "annotations", "imagePullSecrets"].includes(key);
    const isEmpty = value === null || Object.keys(Object(value)).length === 0;
    return optional && isEmpty ? undefined : value;
  });
}
