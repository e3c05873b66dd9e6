import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { type CallOptions, type KubeClient, KubeError, type KubeObject } from "../kube/mod.ts";
import { CONFIGURATION_REF, WEBHOOK_CONFIGURATION, WEBHOOK_SUFFIX } from "./configuration.ts";

/** How the webhooks of Zarf's own agent are called (Zarf 0.84, packages/zarf-agent/chart). */
const ZARF_SUFFIX = ".zarf.dev";
/** On the configuration: the node whose agent took the webhooks out, and why it did. */
const WITHDRAWN_BY = "holdfast.dev/withdrawn-by";
const WITHDRAWN_BECAUSE = "holdfast.dev/withdrawn-because";
/** How often a change is tried while somebody else changes the configuration, too. */
const ATTEMPTS = 3;

/** Who took the webhooks out. */
export interface Withdrawal {
  /** Name of the node. */
  readonly by: string;
  readonly why: string;
}

/** What the cluster's MutatingWebhookConfigurations say about rewriting. */
export interface Standing {
  /** The configuration of Zarf's own agent: it rewrites then, and Holdfast does not. */
  readonly zarf: string | undefined;
  /** Holdfast's configuration. */
  readonly ours: KubeObject | undefined;
  /** Set while Holdfast's webhooks are taken out because nobody can answer. */
  readonly withdrawn: Withdrawal | undefined;
}

const WebhooksSchema = v.looseObject({
  metadata: v.looseObject({
    name: v.string(),
    annotations: v.nullish(v.record(v.string(), v.string())),
  }),
  webhooks: v.nullish(v.array(v.looseObject({ name: v.string() }))),
});
type Webhook = { readonly [field: string]: unknown; readonly name: string };

/** Reads all of the cluster's MutatingWebhookConfigurations. */
export async function loadStanding(kube: KubeClient, options: CallOptions = {}): Promise<Standing> {
  const { apiVersion, kind } = CONFIGURATION_REF;
  return standingOf((await kube.list({ apiVersion, kind }, options)).items);
}

/** What a list of MutatingWebhookConfigurations says. */
export function standingOf(configurations: Iterable<KubeObject>): Standing {
  const all = [...configurations];
  const ours = all.find(({ metadata }) => metadata.name === WEBHOOK_CONFIGURATION);
  const by = ours?.metadata.annotations?.[WITHDRAWN_BY];
  return {
    zarf: all.find((one) => webhooksOf(one).some(({ name }) => name.endsWith(ZARF_SUFFIX)))
      ?.metadata.name,
    ours,
    withdrawn: by === undefined
      ? undefined
      : { by, why: ours?.metadata.annotations?.[WITHDRAWN_BECAUSE] ?? "it does not say why" },
  };
}

/** Whether there is a webhook of Holdfast's in the configuration. */
export function hasWebhooks(configuration: KubeObject | undefined): boolean {
  return configuration !== undefined && webhooksOf(configuration).some(isOurs);
}

/**
 * Whether the configuration that is stored does what the wanted one does. What others put beside
 * Holdfast's webhooks is theirs, and so are fields that a newer API server has.
 */
export function isAsWanted(actual: KubeObject | undefined, wanted: KubeObject): boolean {
  if (actual === undefined || standingOf([actual]).withdrawn !== undefined) return false;
  const found = new Map(webhooksOf(actual).filter(isOurs).map((one) => [one.name, one]));
  const expected = webhooksOf(wanted);
  return found.size === expected.length && expected.every((one) => {
    const there = found.get(one.name);
    return there !== undefined && [...Object.keys(one), "matchConditions"]
      .every((field) => isDeepStrictEqual(there[field], one[field]));
  });
}

/**
 * Writes the wanted configuration if it is not so already, over whatever somebody made of it.
 *
 * @returns Whether there was something to write.
 * @throws {KubeError} `Conflict` when others keep changing it.
 */
export function putWebhooks(
  kube: KubeClient,
  wanted: KubeObject,
  options: CallOptions = {},
): Promise<boolean> {
  return change(kube, (actual) => {
    if (isAsWanted(actual, wanted)) return undefined;
    return actual === undefined ? wanted : edited(actual, webhooksOf(wanted), wanted, {
      [WITHDRAWN_BY]: undefined,
      [WITHDRAWN_BECAUSE]: undefined,
    });
  }, options);
}

/**
 * Takes Holdfast's webhooks out of the configuration and writes down who did and why, so that the
 * other agents leave it so. `false` when none is there.
 */
export function withdrawWebhooks(
  kube: KubeClient,
  { by, why }: Withdrawal,
  options: CallOptions = {},
): Promise<boolean> {
  return change(kube, (actual) => {
    if (actual === undefined || !hasWebhooks(actual)) return undefined;
    return edited(actual, [], actual, { [WITHDRAWN_BY]: by, [WITHDRAWN_BECAUSE]: why });
  }, options);
}

/**
 * Removes the configuration, or Holdfast's webhooks from it when others have put theirs beside;
 * `false` when there is nothing to remove. Pods are stored as they are then.
 */
export function removeWebhooks(kube: KubeClient, options: CallOptions = {}): Promise<boolean> {
  return change(kube, (actual) => {
    if (actual === undefined) return undefined;
    if (webhooksOf(actual).every(isOurs)) return "remove";
    return hasWebhooks(actual) ? edited(actual, [], actual, {}) : undefined;
  }, options);
}

/** Decides about the present configuration: what is to be there, or nothing where it is right. */
type Decision = (actual: KubeObject | undefined) => KubeObject | "remove" | undefined;

async function change(
  kube: KubeClient,
  decide: Decision,
  options: CallOptions,
): Promise<boolean> {
  for (let attempt = 1;; attempt++) {
    const actual = await kube.get(CONFIGURATION_REF, options);
    const next = decide(actual);
    if (next === undefined) return false;
    try {
      if (next !== "remove") {
        await (actual === undefined ? kube.create(next, options) : kube.replace(next, options));
        return true;
      }
      const { resourceVersion } = actual?.metadata ?? {};
      const preconditions = resourceVersion === undefined ? {} : { resourceVersion };
      return await kube.delete(CONFIGURATION_REF, { ...options, preconditions });
    } catch (error) {
      if (attempt === ATTEMPTS || !isOvertaken(error)) throw error;
    }
  }
}

function isOvertaken(error: unknown): boolean {
  return error instanceof KubeError &&
    ["Conflict", "AlreadyExists", "NotFound"].includes(error.reason);
}

/** `actual` with other webhooks of Holdfast's, the labels of `wanted`, and these annotations. */
function edited(
  actual: KubeObject,
  webhooks: readonly Webhook[],
  wanted: KubeObject,
  annotations: Readonly<Record<string, string | undefined>>,
): KubeObject {
  const merged = Object.entries({ ...actual.metadata.annotations, ...annotations })
    .filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...actual,
    metadata: {
      ...actual.metadata,
      labels: { ...actual.metadata.labels, ...wanted.metadata.labels },
      annotations: Object.fromEntries(merged),
    },
    webhooks: [...webhooks, ...webhooksOf(actual).filter((one) => !isOurs(one))],
  };
}

function webhooksOf(configuration: KubeObject): readonly Webhook[] {
  const parsed = v.safeParse(WebhooksSchema, configuration);
  return parsed.success ? parsed.output.webhooks ?? [] : [];
}

function isOurs({ name }: Webhook): boolean {
  return name.endsWith(WEBHOOK_SUFFIX);
}
