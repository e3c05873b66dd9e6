/** What a request asks for. */
export type GitRoute =
  /** What the repository has; `service` as git names it, undefined for the protocol of old. */
  | {
    readonly kind: "info";
    readonly user: string;
    readonly name: string;
    readonly service?: string;
  }
  /** Objects, or to take some. */
  | { readonly kind: "rpc"; readonly user: string; readonly name: string; readonly service: string }
  /** Anything else. */
  | { readonly kind: "other" };

const ROUTE =
  /^\/(?<user>[\w.-]{1,100})\/(?<name>[\w.-]{1,204}?)(?:\.git)?\/(?:(?<info>info\/refs)|(?<rpc>git-(?:upload|receive)-pack))$/;

/** Reads the path and the query of git's smart HTTP protocol (gitprotocol-http). */
export function routeOf(url: URL): GitRoute {
  const groups = ROUTE.exec(url.pathname)?.groups;
  const { user = "", name = "", info, rpc } = groups ?? {};
  if (rpc !== undefined) return { kind: "rpc", user, name, service: rpc };
  if (info === undefined) return { kind: "other" };
  const service = url.searchParams.get("service");
  return { kind: "info", user, name, ...(service === null ? {} : { service }) };
}

/**
 * The version of the protocol that a `Git-Protocol` header asks for, the highest of several
 * (git, protocol.c determine_protocol_version_server); other values count for nothing.
 */
export function protocolVersion(header: string): 0 | 1 | 2 {
  const versions = header.split(":").map((part) => /^version=([012])$/.exec(part)?.[1]);
  return Math.max(0, ...versions.map((version) => Number(version ?? 0))) as 0 | 1 | 2;
}
