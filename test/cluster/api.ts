import type { ClusterPlan } from "./plan.ts";
import { pkiDir } from "./pki.ts";

/** Milliseconds for one request. */
const REQUEST_TIMEOUT = 10_000;

/** Asks a node's API server as the administrator and gives its answer. */
export async function apiGet(plan: ClusterPlan, ip: string, path: string): Promise<unknown> {
  const text = await request(plan, ip, path);
  return JSON.parse(text);
}

/** Whether a node's API server answers `path` with success. */
export async function answers(plan: ClusterPlan, ip: string, path: string): Promise<boolean> {
  await request(plan, ip, path);
  return true;
}

async function request(plan: ClusterPlan, ip: string, path: string): Promise<string> {
  const pem = (file: string) => Deno.readTextFileSync(`${pkiDir(plan.layout)}/${file}`);
  using client = Deno.createHttpClient({
    caCerts: [pem("ca.crt")],
    cert: pem("admin.crt"),
    key: pem("admin.key"),
    http2: false,
  });
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT);
  const response = await fetch(`https://${ip}:6443${path}`, { client, signal });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 200)}`);
  return text;
}
