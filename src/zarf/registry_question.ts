import { encodeBase64 } from "./base64.ts";
import type { Credentials } from "./registry_client.ts";

/** One question to the in-cluster registry that changes nothing. */
export interface RegistryQuestion {
  readonly method: "GET" | "HEAD";
  readonly url: string;
  readonly credentials: Credentials;
  /** @default anything */
  readonly accept?: string;
  /** Milliseconds. */
  readonly timeout: number;
}

/** The head of the answer; undefined when nobody answers in time. */
export async function askRegistry(question: RegistryQuestion): Promise<Response | undefined> {
  const { method, url, credentials, accept = "*/*", timeout } = question;
  const authorization = `Basic ${encodeBase64(`${credentials.username}:${credentials.password}`)}`;
  try {
    const response = await fetch(url, {
      method,
      headers: { authorization, accept },
      signal: AbortSignal.timeout(timeout),
    });
    await response.body?.cancel();
    return response;
  } catch {
    return undefined;
  }
}
