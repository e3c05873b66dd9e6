import * as v from "valibot";
import { machineCertificates } from "../std/mod.ts";
import { isLocalOrPrivate } from "./local_or_private.ts";

/** How long a token may take to come, in milliseconds. */
const TIMEOUT = 30_000;

const TokenSchema = v.object({
  token: v.optional(v.string()),
  access_token: v.optional(v.string()),
});

/** Who asks, and for what. */
export interface TokenRequest {
  /** `Basic …`, which the token is given for. */
  readonly authorization: string;
  /** The header `WWW-Authenticate` of the registry's answer. */
  readonly challenge: string;
  /** What is to be done: `repository:library/nginx:pull,push`. */
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal;
}

/** Whether a registry asks for a token instead of a password. */
export function wantsToken(challenge: string | undefined): challenge is string {
  return /^bearer\s/i.test(challenge ?? "");
}

/**
 * A token as the registry's answer says where to get it (distribution, "Token Authentication
 * Specification").
 *
 * @throws {Error} when none is given; the message has no password.
 */
export async function fetchToken(
  { authorization, challenge, scopes, signal }: TokenRequest,
): Promise<string> {
  const { realm, service } = parametersOf(challenge);
  const url = URL.parse(realm ?? "");
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error("the registry does not say where tokens are");
  }
  // The password goes there, which the registry itself has got by TLS.
  if (url.protocol === "http:" && !isLocalOrPrivate(url.host)) {
    throw new Error(`the registry has tokens at ${url.host} by plain HTTP, which is not private`);
  }
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const limit = AbortSignal.timeout(TIMEOUT);
  using client = Deno.createHttpClient({ caCerts: machineCertificates() });
  const response = await fetch(url, {
    ...{ client, headers: { authorization }, redirect: "manual" },
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`${url.host} answered ${response.status} when it was asked for a token`);
  }
  const parsed = v.safeParse(TokenSchema, await response.json().catch(() => undefined));
  const token = parsed.success ? parsed.output.token ?? parsed.output.access_token : undefined;
  if (token === undefined || !/^[!-~]+$/.test(token)) {
    throw new Error(`${url.host} gave no token`);
  }
  return token;
}

/** `realm="https://…",service="…"` */
function parametersOf(challenge: string): Readonly<Record<string, string | undefined>> {
  const pairs = challenge.matchAll(/([a-z_]+)="([^"]*)"/gi);
  return Object.fromEntries([...pairs].map(([, name = "", value]) => [name.toLowerCase(), value]));
}
