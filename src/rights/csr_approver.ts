import * as v from "valibot";
import { type KubeClient, KubeError, type KubeObject } from "../kube/mod.ts";
import { type Clock, Complaints, describeError, type Logger, systemClock } from "../std/mod.ts";
import { judge } from "./judge.ts";
import { REQUESTS, SIGNER } from "./names.ts";
import type { NodeRights } from "./node_rights.ts";

/** Milliseconds between two looks at what could not be decided. */
const RETRY_INTERVAL = 5_000;
/** Milliseconds between two looks at the group's rights. */
const KEEP_INTERVAL = 60_000;
/** Who decides waits up to this long, in milliseconds, so that of many agents mostly one writes. */
const SPREAD = 300;

/** What {@linkcode CsrApprover} works with. */
export interface CsrApproverOptions {
  readonly kube: KubeClient;
  readonly rights: Pick<NodeRights, "ensure" | "keep">;
  readonly logger: Logger;
  /** Aborts when the cluster's state is another one than now. */
  readonly changed: () => AbortSignal;
  readonly clock?: Clock;
  /** A number in [0, 1). @default Math.random */
  readonly random?: () => number;
}

const StatusSchema = v.looseObject({
  conditions: v.nullish(v.array(v.unknown())),
});

/**
 * Answers the certificate signing requests of agents on workers ({@linkcode judge}), and keeps the
 * rights of those who were given one. Every administrator's agent runs it: who comes second finds the
 * request decided.
 */
export class CsrApprover {
  readonly #options: CsrApproverOptions;
  readonly #clock: Clock;
  readonly #complaints: Complaints;
  #requests: readonly KubeObject[] = [];
  #unsettled = false;

  constructor(options: CsrApproverOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#complaints = new Complaints((text) => options.logger.warn(text));
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follow(signal), this.#retry(signal), this.#keep(signal)]);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const fieldSelector = `spec.signerName=${SIGNER}`;
    const { kube } = this.#options;
    for await (const requests of kube.reflect(REQUESTS, { fieldSelector, signal })) {
      this.#requests = [...requests.values()];
      await this.#decideAll(signal);
    }
  }

  async #retry(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(RETRY_INTERVAL, signal);
      if (this.#unsettled && !signal.aborted) await this.#decideAll(signal);
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const changed = this.#options.changed();
      await this.#trying("the rights of agents on workers", async () => {
        await this.#options.rights.keep({ signal });
        return true;
      }, signal);
      await this.#clock.sleep(KEEP_INTERVAL, AbortSignal.any([signal, changed]));
    }
  }

  async #decideAll(signal: AbortSignal): Promise<void> {
    let settled = true;
    for (const request of this.#requests) {
      const what = `the request ${request.metadata.name}`;
      settled = await this.#trying(what, () => this.#decide(request, signal), signal) && settled;
    }
    this.#unsettled = !settled;
  }

  /** Says whether there is nothing more to do about it. */
  async #decide(request: KubeObject, signal: AbortSignal): Promise<boolean> {
    const { kube, rights, logger, random = Math.random } = this.#options;
    const verdict = judge(request);
    if (verdict.what === "leave") return true;
    if (verdict.what === "approve") {
      const node = { apiVersion: "v1", kind: "Node", name: verdict.node };
      // A kubelet may ask before it has made its Node.
      if (await kube.get(node, { signal }) === undefined) return false;
      await rights.ensure({ signal });
    }
    await this.#clock.sleep(random() * SPREAD, signal);
    if (signal.aborted) return false;
    const message = verdict.what === "approve"
      ? `the agent of node ${verdict.node} asks, as its kubelet`
      : verdict.why;
    try {
      await kube.replace(
        decided(request, verdict.what === "approve", message, this.#clock.now()),
        { subresource: "approval", signal },
      );
    } catch (error) {
      // Another agent was faster, or somebody took it away.
      if (error instanceof KubeError && ["Conflict", "NotFound"].includes(error.reason)) {
        return true;
      }
      throw error;
    }
    const level = verdict.what === "approve" ? "info" : "warn";
    const done = verdict.what === "approve" ? "approved" : "denied";
    logger[level](`certificate signing request ${done}: ${message}`, {
      request: request.metadata.name ?? "",
    });
    return true;
  }

  /** Whether `action` did it; why it did not is said once. */
  async #trying(
    what: string,
    action: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      const done = await action();
      if (done) this.#complaints.settle();
      return done;
    } catch (error) {
      if (!signal.aborted) this.#complaints.say(`${what}: ${describeError(error)}`);
      return false;
    }
  }
}

function decided(request: KubeObject, approve: boolean, message: string, now: Date): KubeObject {
  const parsed = v.safeParse(StatusSchema, request.status ?? {});
  const time = now.toISOString();
  const condition = {
    type: approve ? "Approved" : "Denied",
    status: "True",
    reason: approve ? "HoldfastAgent" : "NotAnAgent",
    message,
    lastUpdateTime: time,
    lastTransitionTime: time,
  };
  const before = parsed.success ? parsed.output.conditions ?? [] : [];
  return {
    ...request,
    status: { ...asObject(request.status), conditions: [...before, condition] },
  };
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
