import * as v from "valibot";
import type { KubeClient } from "../kube/mod.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { ZarfError } from "./errors.ts";
import { MANAGED_BY_LABEL, MANAGED_BY_ZARF, STATE_SECRET, ZARF_NAMESPACE } from "./names.ts";
import {
  PASSWORD_LENGTH,
  type RandomBytes,
  randomPassword,
  REGISTRY_SECRET_LENGTH,
  systemRandom,
} from "./random.ts";

const pemBytes = v.optional(v.nullable(v.string()), null);
const text = v.optional(v.string(), "");
const port = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535)), 0);

const credentials = { pushUsername: text, pushPassword: text, address: text };
const readCredentials = { pullUsername: text, pullPassword: text };

/**
 * The JSON in Secret `zarf/zarf-state` (Zarf 0.84, src/pkg/state/state.go). Keys that this version
 * does not know are kept, so that saving what was loaded loses nothing of a newer Zarf's.
 */
export const ZarfStateSchema = v.looseObject({
  zarfAppliance: v.optional(v.boolean(), false),
  distro: text,
  storageClass: text,
  ipFamily: v.optional(v.picklist(["ipv4", "ipv6", "dual"])),
  agentTLS: v.optional(v.looseObject({ ca: pemBytes, cert: pemBytes, key: pemBytes }), {}),
  agentMutationPolicy: text,
  injectorInfo: v.optional(
    v.looseObject({
      injectorImage: text,
      payLoadConfigMapAmount: v.optional(v.number(), 0),
      payLoadShaSum: text,
      port,
    }),
    {},
  ),
  gitServer: v.optional(v.looseObject({ ...credentials, ...readCredentials }), {}),
  registryInfo: v.looseObject({
    ...credentials,
    ...readCredentials,
    nodePort: port,
    port,
    secret: text,
    registryMode: v.optional(v.string()),
    mtlsStrategy: v.optional(v.string()),
  }),
  artifactServer: v.optional(v.looseObject(credentials), {}),
});

/** Zarf's state: who may push and pull, where, and what kind of cluster it is. Holds passwords. */
export type ZarfState = v.InferOutput<typeof ZarfStateSchema>;

/** What a new state is made from. */
export interface NewStateOptions {
  /** Host and port that images are named with, for example `127.0.0.1:31999`. */
  readonly registryAddress: string;
  readonly port: number;
  readonly ipFamily: "ipv4" | "ipv6" | "dual";
  /** Zarf's name of the distribution. @default "unknown", which is what Zarf says on Talos */
  readonly distro?: string;
  /** The storage class that packages are told of. @default "", the cluster's own default */
  readonly storageClass?: string;
  /** @default the operating system's generator */
  readonly random?: RandomBytes;
}

/**
 * A state with fresh credentials. Its registry mode is `nodeport`: the name of Zarf's mode in which
 * images are called `127.0.0.1:<port>/…` over plain HTTP and the client pushes through the API
 * server to the pods of Service `zarf-docker-registry`, which is just what Holdfast provides; only
 * that nobody but the agent on the node listens on the port. The agent certificate stays empty,
 * because the webhook is Holdfast's and Zarf then checks none (state.go AgentIsConfigured).
 */
export function newState(options: NewStateOptions): ZarfState {
  const random = options.random ?? systemRandom;
  return v.parse(ZarfStateSchema, {
    distro: options.distro ?? "unknown",
    storageClass: options.storageClass ?? "",
    ipFamily: options.ipFamily,
    agentMutationPolicy: "all",
    registryInfo: {
      pushUsername: "zarf-push",
      pushPassword: randomPassword(PASSWORD_LENGTH, random),
      pullUsername: "zarf-pull",
      pullPassword: randomPassword(PASSWORD_LENGTH, random),
      address: options.registryAddress,
      nodePort: options.port,
      port: options.port,
      secret: randomPassword(REGISTRY_SECRET_LENGTH, random),
      registryMode: "nodeport",
      mtlsStrategy: "none",
    },
  });
}

/**
 * Reads a state as Zarf does: `port` falls back to the older `nodePort`, and a state without a mode
 * is `nodeport` when its address is this machine's, else `external` (state.go).
 *
 * @throws {ZarfError} `StateInvalid`, naming the field; never its value.
 */
export function parseState(json: string): ZarfState {
  const parsed = v.safeParse(ZarfStateSchema, parseJson(json));
  if (!parsed.success) {
    throw invalidState(v.getDotPath(parsed.issues[0]) ?? "its outermost value");
  }
  const state = parsed.output;
  const info = state.registryInfo;
  if (info.port === 0) info.port = info.nodePort;
  const local = [`127.0.0.1:${info.port}`, `[::1]:${info.port}`];
  info.registryMode ??= local.includes(info.address) ? "nodeport" : "external";
  return state;
}

/** The JSON of a state as Zarf writes it: `nodePort` mirrors `port` for older clients. */
export function serializeState(state: ZarfState): string {
  const { registryInfo } = state;
  return JSON.stringify({
    ...state,
    registryInfo: { ...registryInfo, nodePort: registryInfo.port },
  });
}

/** Whether the registry is the one in this cluster (state.go IsInternal). */
export function isInternalRegistry(state: ZarfState): boolean {
  return state.registryInfo.registryMode !== "external";
}

/** Whether there is a git server at all (state.go IsConfigured). */
export function hasGitServer(state: ZarfState): boolean {
  return state.gitServer.address !== "";
}

const StateSecretSchema = v.looseObject({
  data: v.optional(v.looseObject({ state: v.optional(v.string()) })),
});

/**
 * The cluster's Zarf state, or undefined before the first bootstrap or `zarf init`.
 *
 * @throws {ZarfError} `StateInvalid`.
 */
export async function loadState(kube: KubeClient): Promise<ZarfState | undefined> {
  const secret = await kube.get({
    apiVersion: "v1",
    kind: "Secret",
    namespace: ZARF_NAMESPACE,
    name: STATE_SECRET,
  });
  return secret === undefined ? undefined : stateOf(secret);
}

/**
 * The state in Secret `zarf/zarf-state`.
 *
 * @throws {ZarfError} `StateInvalid`.
 */
export function stateOf(secret: unknown): ZarfState {
  const parsed = v.safeParse(StateSecretSchema, secret);
  const encoded = parsed.success ? parsed.output.data?.state : undefined;
  const json = encoded === undefined ? undefined : decodeBase64(encoded);
  if (json === undefined) throw invalidState("data.state");
  return parseState(json);
}

/** Writes the state Secret with exactly the labels and keys that Zarf gives it. */
export async function saveState(kube: KubeClient, state: ZarfState): Promise<void> {
  await kube.apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: STATE_SECRET,
      namespace: ZARF_NAMESPACE,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY_ZARF },
    },
    type: "Opaque",
    data: { state: encodeBase64(serializeState(state)) },
  }, { force: true });
}

/** @throws {ZarfError} `StateInvalid`: there is no state that could be changed. */
export function noState(): never {
  throw new ZarfError({
    reason: "StateInvalid",
    message: "there is no Zarf state that could name a git server",
    disposition: "retry",
  });
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // The parser's message would quote the text, which holds passwords.
    return undefined;
  }
}

function invalidState(where: string): ZarfError {
  return new ZarfError({
    reason: "StateInvalid",
    message: `Secret ${ZARF_NAMESPACE}/${STATE_SECRET} is not a Zarf state: ${where} is wrong`,
    kept: "it was not changed",
    remedy: "restore the Secret from a backup, or delete it to start with new credentials",
    disposition: "wait",
  });
}
