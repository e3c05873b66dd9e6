import * as v from "valibot";
import { type KubeClient, KubeError, type KubeObject } from "../kube/mod.ts";
import { transformImage } from "../refs/mod.ts";
import { type Clock, describeError, systemClock } from "../std/mod.ts";
import { ZARF_NAMESPACE } from "../zarf/mod.ts";
import { PATCHED, PATCHED_LABEL } from "./rules/pod.ts";

/** An image that no registry has: the pod is never stored. */
const PROOF_IMAGE = "holdfast.dev/admission-proof:1";
/** Milliseconds in which the proof has to succeed: an API server reads a new configuration late. */
const PROOF_TIMEOUT = 8_000;
/** Milliseconds between two attempts. */
const PROOF_INTERVAL = 300;

/** What {@linkcode proveWebhook} looks for. */
export interface ProofOptions {
  /** Whose agent has to have changed the pod. */
  readonly agent: "Holdfast" | "Zarf";
  /** Where images may come from: the pod has to come back with one of these. Empty ones do not count. */
  readonly registryAddresses: readonly string[];
  /** Milliseconds in which it has to succeed; 0 is one attempt. @default 8_000 */
  readonly timeout?: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/**
 * Creates a pod for trial (`dryRun`) until its image comes back rewritten.
 *
 * @returns `undefined` when it did, else why it did not, in one sentence without a full stop.
 */
export async function proveWebhook(
  kube: KubeClient,
  options: ProofOptions,
): Promise<string | undefined> {
  const { timeout = PROOF_TIMEOUT, clock = systemClock, signal } = options;
  const deadline = clock.monotonic() + timeout;
  for (;;) {
    signal?.throwIfAborted();
    const why = await attempt(kube, options);
    if (why === undefined || clock.monotonic() >= deadline) return why;
    await clock.sleep(PROOF_INTERVAL, signal);
  }
}

async function attempt(
  kube: KubeClient,
  { agent, registryAddresses, signal }: ProofOptions,
): Promise<string | undefined> {
  const wanted = registryAddresses.filter(Boolean).map((address) =>
    transformImage(address, PROOF_IMAGE)
  );
  try {
    const options = signal === undefined ? { dryRun: true } : { dryRun: true, signal };
    const image = imageOf(await kube.create(proofPod(agent), options));
    if (wanted.includes(image)) return undefined;
    return image === PROOF_IMAGE
      ? "a trial pod came back unchanged: no agent answers on the node of the API server"
      : `a trial pod came back with the image ${image} in place of ${wanted.join(" or ")}`;
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return `a trial pod was refused: ${describeError(error)}`;
  }
}

/** Fit for the strictest Pod Security level, and for namespaces with quotas. */
function proofPod(agent: ProofOptions["agent"]): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: ZARF_NAMESPACE,
      generateName: "holdfast-admission-proof-",
      // Zarf's own agent passes over pods with this label: what changes one is Holdfast.
      ...(agent === "Zarf" ? {} : { labels: { [PATCHED_LABEL]: PATCHED } }),
    },
    spec: {
      automountServiceAccountToken: false,
      containers: [{
        name: "proof",
        image: PROOF_IMAGE,
        resources: {
          requests: { cpu: "1m", memory: "1Mi" },
          limits: { cpu: "1m", memory: "1Mi" },
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          runAsNonRoot: true,
          seccompProfile: { type: "RuntimeDefault" },
        },
      }],
    },
  };
}

const PodSchema = v.looseObject({
  spec: v.looseObject({
    containers: v.array(v.looseObject({ name: v.string(), image: v.string() })),
  }),
});

function imageOf(pod: unknown): string {
  const { containers } = v.parse(PodSchema, pod).spec;
  return containers.find(({ name }) => name === "proof")?.image ?? "none";
}
