import {
  findKind,
  isTransient,
  type KubeClient,
  KubeError,
  type KubeObject,
  type ServedKind,
  servedKinds,
} from "../kube/mod.ts";
import { type Clock, type ExecResult, oneLine, systemClock } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { statusOf } from "./health.ts";
import { cancelled } from "./wait.ts";

/** Milliseconds between two looks (Zarf 0.84, src/pkg/wait/wait.go). */
const POLL_INTERVAL = 1_000;
/** How long kubectl waits for a JSON path before it is asked anew, in milliseconds (there, too). */
const KUBECTL_ATTEMPT = 10_000;
/** What kubectl gets beyond that before it is ended, in milliseconds. */
const KUBECTL_GRACE = 10_000;

/** What is waited for in the cluster; the fields of Zarf's `wait.cluster`. */
export interface ObjectWait {
  /** By any name that kubectl knows; it may come to be while it is waited for. */
  readonly kind: string;
  /** A name, a label selector (it has a `=`), or nothing for any object of the kind. */
  readonly name: string;
  /** Empty for `default`. */
  readonly namespace: string;
  /** Empty, `exists`, `create`, `delete`, `{.path}=value`, or a condition's type. */
  readonly condition: string;
}

/** Runs kubectl for the agent's cluster, for at most `timeout` milliseconds. */
export type Kubectl = (args: readonly string[], timeout: number) => Promise<ExecResult>;

/** How it is waited. */
export interface ObjectWaitOptions {
  /** Milliseconds. */
  readonly timeout: number;
  /** Judges JSON paths. */
  readonly kubectl: Kubectl;
  /** Without a condition it is waited until the objects are ready, not only there. @default false */
  readonly readyByDefault?: boolean;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Called when what is missing changes. */
  readonly onProgress?: (message: string) => void;
}

/**
 * Waits for objects as Zarf's wait actions and `zarf tools wait-for` do (Zarf 0.84,
 * src/pkg/wait/wait.go). An API server that does not answer is borne until the time is up.
 *
 * @throws {DeployError} `TimedOut`, with what was missing; `Cancelled`. {@linkcode KubeError} for what
 * the API server will never accept, such as a selector that is none.
 */
export async function waitForObject(
  kube: KubeClient,
  wait: ObjectWait,
  options: ObjectWaitOptions,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  const deadline = clock.monotonic() + options.timeout;
  const look = new Look(kube, wait, options);
  let said = "";
  while (true) {
    const missing = await look.once(deadline - clock.monotonic());
    if (missing === undefined) return;
    if (options.signal?.aborted) throw cancelled(options.signal);
    if (missing !== said) options.onProgress?.(said = missing);
    if (clock.monotonic() >= deadline) {
      throw new DeployError({
        reason: "TimedOut",
        message: `not so within ${Math.round(options.timeout / 1000)} s: ${missing}`,
        disposition: "retry",
      });
    }
    await clock.sleep(POLL_INTERVAL, options.signal);
  }
}

/** What a condition asks for. */
type Wanted =
  | { readonly type: "exists" | "delete" | "ready" }
  | { readonly type: "jsonpath"; readonly text: string }
  | { readonly type: "condition"; readonly name: string; readonly status: string };

/**
 * Reads a condition as Zarf and `kubectl wait` do: quotes are taken away, `Ready` means `Ready=true`.
 */
export function parseCondition(text: string, readyByDefault = false): Wanted {
  const condition = text.replaceAll("'", "");
  if (condition === "") return { type: readyByDefault ? "ready" : "exists" };
  if (/^(create|exists?)$/i.test(condition)) return { type: "exists" };
  if (condition === "delete") return { type: "delete" };
  if (/^\{.*=/s.test(condition) && condition.includes("}")) {
    return { type: "jsonpath", text: condition };
  }
  const [name = "", ...status] = condition.split("=");
  return { type: "condition", name, status: status.join("=") || "true" };
}

/** One wait's looks at the cluster. */
class Look {
  readonly #kube: KubeClient;
  readonly #wait: ObjectWait;
  readonly #options: ObjectWaitOptions;
  readonly #wanted: Wanted;
  #kind: ServedKind | undefined;

  constructor(kube: KubeClient, wait: ObjectWait, options: ObjectWaitOptions) {
    this.#kube = kube;
    this.#wait = wait;
    this.#options = options;
    this.#wanted = parseCondition(wait.condition, options.readyByDefault);
  }

  /** What is missing, if anything. */
  async once(left: number): Promise<string | undefined> {
    try {
      const kind = this.#kind ??= findKind(
        await servedKinds(this.#kube, this.#call()),
        this.#wait.kind,
      );
      return kind === undefined
        ? `the cluster has no kind ${this.#wait.kind}`
        : await this.#missing(kind, left);
    } catch (error) {
      if (this.#options.signal?.aborted) throw cancelled(this.#options.signal);
      // The kind may have gone with its CRD, or the credentials may be just changing.
      const passing = error instanceof KubeError &&
        (isTransient(error) || error.disposition === "wait");
      if (!passing) throw error;
      this.#kind = undefined;
      return `the API server does not say: ${error.message}`;
    }
  }

  #call() {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }

  async #missing(kind: ServedKind, left: number): Promise<string | undefined> {
    const { name } = this.#wait;
    if (name === "") {
      return (await this.#list(kind, { limit: 1 })).length > 0
        ? undefined
        : `there is no ${kind.kind}${this.#where(kind)}`;
    }
    const what = `${kind.kind} ${name}${this.#where(kind)}`;
    if (this.#wanted.type === "jsonpath") {
      return await this.#jsonPath(kind, this.#wanted.text, what, left);
    }
    const objects = await this.#objects(kind);
    if (this.#wanted.type === "delete") {
      return objects.length === 0 ? undefined : `${what} is still there`;
    }
    if (objects.length === 0) return `${what} is not there yet`;
    for (const object of objects) {
      const why = unmet(object, this.#wanted);
      if (why !== undefined) return `${kind.kind} ${object.metadata.name}: ${why}`;
    }
    return undefined;
  }

  async #objects(kind: ServedKind): Promise<KubeObject[]> {
    const { name } = this.#wait;
    if (name.includes("=")) return await this.#list(kind, { labelSelector: name });
    const found = await this.#kube.get({ ...this.#ref(kind), name }, this.#call());
    return found === undefined ? [] : [found];
  }

  async #list(kind: ServedKind, select: { labelSelector?: string; limit?: number }) {
    return (await this.#kube.list(this.#ref(kind), { ...select, ...this.#call() })).items;
  }

  #ref(kind: ServedKind) {
    const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
    return {
      apiVersion,
      kind: kind.kind,
      ...(kind.namespaced ? { namespace: this.#namespace() } : {}),
    };
  }

  #namespace(): string {
    return this.#wait.namespace || "default";
  }

  #where(kind: ServedKind): string {
    return kind.namespaced ? ` in namespace ${this.#namespace()}` : "";
  }

  async #jsonPath(kind: ServedKind, path: string, what: string, left: number) {
    const { name } = this.#wait;
    const type = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
    const timeout = Math.max(1_000, Math.min(KUBECTL_ATTEMPT, left));
    const result = await this.#options.kubectl([
      "wait",
      ...(name.includes("=") ? [type, `--selector=${name}`] : [`${type}/${name}`]),
      `--for=jsonpath=${path}`,
      `--timeout=${Math.round(timeout / 1000)}s`,
      ...(kind.namespaced ? [`--namespace=${this.#namespace()}`] : []),
    ], timeout + KUBECTL_GRACE);
    if (result.code === 0) return undefined;
    const said = result.stderr.trim().split("\n").at(-1)?.replace(/^error: /, "") ?? "";
    return oneLine(`${what} is not ${path}: ${said}`);
  }
}

/** What of an object is not as wanted. */
function unmet(object: KubeObject, wanted: Wanted): string | undefined {
  if (wanted.type === "ready") {
    const { status, message } = statusOf(object);
    return status === "Current" ? undefined : message;
  }
  if (wanted.type !== "condition") return undefined;
  return conditionHolds(object, wanted.name, wanted.status)
    ? undefined
    : `its condition ${wanted.name} is not ${wanted.status}`;
}

/**
 * Whether an object has a condition with a status, by the rules of `kubectl wait --for=condition`
 * (kubectl 1.36, pkg/cmd/wait/condition.go): names and status in any case; what was observed of an
 * older generation does not count; the first condition of the name decides.
 */
export function conditionHolds(object: KubeObject, name: string, status: string): boolean {
  const state = recordOf(object["status"]);
  const conditions = Array.isArray(state["conditions"]) ? state["conditions"] : [];
  const found = conditions.map(recordOf).find((one) =>
    typeof one["status"] === "string" && typeof one["type"] === "string" &&
    one["type"].toLowerCase() === name.toLowerCase()
  );
  if (found === undefined) return false;
  const { generation } = object.metadata;
  const observed = [found["observedGeneration"], state["observedGeneration"]]
    .find((value) => typeof value === "number");
  if (typeof generation === "number" && typeof observed === "number" && observed < generation) {
    return false;
  }
  return String(found["status"]).toLowerCase() === status.toLowerCase();
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
