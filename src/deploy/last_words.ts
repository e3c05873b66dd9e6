import * as v from "valibot";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { oneLine } from "../std/mod.ts";

/** How many of the last lines of a container's log a message shows. */
const LINES = 5;
/** The most of a log that is read, in bytes. */
const MAX_BYTES = 8_192;
/** The longest part of a line that is shown, in characters. */
const MAX_LINE = 160;
/** How long the kubelet may take over a log, in milliseconds. */
const TIMEOUT = 5_000;

/** A container of a pod. */
export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/**
 * The last lines that a container has printed, on one line; empty where they cannot be had. They may
 * hold what is secret.
 */
export async function lastWords(
  kube: KubeClient,
  { namespace, pod, container }: ContainerRef,
): Promise<string> {
  try {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log`;
    const query = { container, tailLines: String(LINES), limitBytes: String(MAX_BYTES) };
    const options = { query, accept: "*/*", timeout: TIMEOUT };
    const response = await kube.request("GET", path, options);
    if (response.status !== 200) return "";
    const lines = (await response.text()).split("\n").map((line) => oneLine(line, MAX_LINE));
    return lines.filter((line) => line !== "").join(" | ");
  } catch {
    // A node that does not answer: the failure is told without it.
    return "";
  }
}

const terminated = v.looseObject({ exitCode: v.number() });
const FailedPodSchema = v.looseObject({
  metadata: v.looseObject({ name: v.string() }),
  status: v.looseObject({
    initContainerStatuses: v.optional(v.array(v.unknown()), []),
    containerStatuses: v.optional(v.array(v.unknown()), []),
  }),
});
const FailedContainerSchema = v.looseObject({
  name: v.string(),
  state: v.looseObject({ terminated }),
});

/**
 * Of which container of a Job's pods something went wrong, how it ended and what it said last:
 * `pod migrate-x, container c ended with code 1: no database`. Empty where that is not known.
 */
export async function lastWordsOfJob(
  kube: KubeClient,
  namespace: string,
  job: string,
): Promise<string> {
  const pods = await podsOf(kube, namespace, job);
  for (const pod of pods.toReversed()) {
    const parsed = v.safeParse(FailedPodSchema, pod);
    if (!parsed.success) continue;
    const { metadata, status } = parsed.output;
    for (const each of [...status.initContainerStatuses, ...status.containerStatuses]) {
      const found = v.safeParse(FailedContainerSchema, each);
      if (!found.success || found.output.state.terminated.exitCode === 0) continue;
      const { name: container, state } = found.output;
      const said = await lastWords(kube, { namespace, pod: metadata.name, container });
      const ended = `pod ${metadata.name}, container ${container} ended with code ` +
        `${state.terminated.exitCode}`;
      return said === "" ? ended : `${ended}; it said last: ${said}`;
    }
  }
  return "";
}

async function podsOf(kube: KubeClient, namespace: string, job: string): Promise<KubeObject[]> {
  try {
    // Both labels are the Job controller's (batch/v1, JobNameLabel).
    const labelSelector = `batch.kubernetes.io/job-name=${job}`;
    const { items } = await kube.list(
      { apiVersion: "v1", kind: "Pod", namespace },
      { labelSelector },
    );
    const made = (pod: KubeObject) => pod.metadata.creationTimestamp ?? "";
    return items.toSorted((a, b) => made(a) < made(b) ? -1 : 1);
  } catch {
    return [];
  }
}
