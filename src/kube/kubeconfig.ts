import { dirname, resolve } from "node:path";
import { load } from "js-yaml";
import * as v from "valibot";
import type { ClusterAccess } from "./access.ts";
import { KubeError } from "./errors.ts";

const text = v.optional(v.string());

/** The fields of a kubeconfig that are used or refused (client-go, tools/clientcmd/api/v1). */
const KubeconfigSchema = v.object({
  "current-context": v.pipe(v.string(), v.nonEmpty("no context is selected")),
  clusters: v.array(v.object({
    name: v.string(),
    cluster: v.object({
      server: v.pipe(v.string(), v.url()),
      "certificate-authority": text,
      "certificate-authority-data": text,
      "insecure-skip-tls-verify": v.optional(v.boolean()),
      "tls-server-name": text,
      "proxy-url": text,
    }),
  })),
  contexts: v.array(v.object({
    name: v.string(),
    context: v.object({ cluster: v.string(), user: v.string() }),
  })),
  users: v.array(v.object({
    name: v.string(),
    user: v.optional(
      v.object({
        "client-certificate": text,
        "client-certificate-data": text,
        "client-key": text,
        "client-key-data": text,
        token: text,
        tokenFile: text,
        username: text,
        exec: v.optional(v.unknown()),
        "auth-provider": v.optional(v.unknown()),
      }),
      {},
    ),
  })),
});

/** A kubeconfig as it stands in its file. */
export type Kubeconfig = v.InferInput<typeof KubeconfigSchema>;

/**
 * The access of a kubeconfig file's current context. Relative paths in it are relative to the file.
 *
 * @throws {KubeError} `BadKubeconfig`.
 */
export function readKubeconfig(path: string): ClusterAccess {
  let parsed: unknown;
  try {
    parsed = load(Deno.readTextFileSync(path));
  } catch (cause) {
    throw bad(`cannot read ${path}`, cause);
  }
  return accessOf(parsed, dirname(resolve(path)), path);
}

/**
 * The access of a parsed kubeconfig's current context.
 *
 * @param directory What relative paths in it are relative to.
 * @param source Its name in errors.
 * @throws {KubeError} `BadKubeconfig`.
 */
export function accessOf(
  config: unknown,
  directory = Deno.cwd(),
  source = "the kubeconfig",
): ClusterAccess {
  const result = v.safeParse(KubeconfigSchema, config);
  if (!result.success) {
    const [issue] = result.issues;
    throw bad(`${source} is not a kubeconfig: ${v.getDotPath(issue) ?? ""} ${issue.message}`);
  }
  const { "current-context": wanted, contexts, clusters, users } = result.output;
  const context = contexts.find((each) => each.name === wanted)?.context;
  if (context === undefined) throw bad(`${source} has no context ${wanted}`);
  const cluster = clusters.find((each) => each.name === context.cluster)?.cluster;
  if (cluster === undefined) throw bad(`${source} has no cluster ${context.cluster}`);
  const user = users.find((each) => each.name === context.user)?.user;
  if (user === undefined) throw bad(`${source} has no user ${context.user}`);
  refuseUnsupported(cluster, user, source);
  const read = (kind: "certificate-authority" | "client-certificate" | "client-key") => {
    const from: Readonly<Record<string, unknown>> = kind === "certificate-authority"
      ? cluster
      : user;
    return pemOf(from[`${kind}-data`], from[kind], directory, `${source}, ${kind}`);
  };
  return compact({
    server: cluster.server.replace(/\/+$/, ""),
    ca: read("certificate-authority"),
    cert: read("client-certificate"),
    key: read("client-key"),
    token: user.token,
    tokenFile: user.tokenFile === undefined ? undefined : resolve(directory, user.tokenFile),
  });
}

/** Where a pod finds its credentials (kubernetes.io, "Accessing the API from a Pod"). */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The access of a pod's service account.
 *
 * @throws {KubeError} `BadKubeconfig` when this is not a pod.
 */
export function inClusterAccess(
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
  directory = SERVICE_ACCOUNT,
): ClusterAccess {
  const host = env("KUBERNETES_SERVICE_HOST");
  const port = env("KUBERNETES_SERVICE_PORT");
  if (!host || !port) throw bad("this process does not run in a pod");
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: readPem(`${directory}/ca.crt`, "the service account"),
    tokenFile: `${directory}/token`,
  };
}

type Parsed = v.InferOutput<typeof KubeconfigSchema>;

/** Deno's `fetch` cannot do these, and a setting that is not obeyed must not pass in silence. */
function refuseUnsupported(
  cluster: Parsed["clusters"][number]["cluster"],
  user: Parsed["users"][number]["user"],
  source: string,
): void {
  const { hostname } = new URL(cluster.server);
  const serverName = cluster["tls-server-name"];
  const unsupported = [
    [user.exec !== undefined, "exec"],
    [user["auth-provider"] !== undefined, "auth-provider"],
    [user.username !== undefined, "username"],
    [cluster["proxy-url"] !== undefined, "proxy-url"],
    [cluster["insecure-skip-tls-verify"] === true, "insecure-skip-tls-verify"],
    [serverName !== undefined && serverName !== hostname, "tls-server-name"],
  ].find(([present]) => present);
  if (unsupported !== undefined) {
    throw bad(`${source} uses ${unsupported[1]}, which Holdfast does not support`);
  }
}

function pemOf(data: unknown, file: unknown, directory: string, what: string): string | undefined {
  if (typeof data === "string" && data !== "") {
    try {
      return new TextDecoder().decode(Uint8Array.fromBase64(data.replaceAll(/\s/g, "")));
    } catch (cause) {
      throw bad(`${what}-data is not base64`, cause);
    }
  }
  return typeof file === "string" && file !== ""
    ? readPem(resolve(directory, file), what)
    : undefined;
}

function readPem(path: string, what: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw bad(`${what}: cannot read ${path}`, cause);
  }
}

function compact(
  access: { [K in keyof ClusterAccess]: ClusterAccess[K] | undefined } & { server: string },
): ClusterAccess {
  const present = Object.entries(access).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(present), server: access.server };
}

function bad(message: string, cause?: unknown): KubeError {
  return new KubeError({
    reason: "BadKubeconfig",
    message,
    remedy: "give a kubeconfig with a CA and a client certificate or token; it is read again",
    ...(cause === undefined ? {} : { cause }),
  });
}
