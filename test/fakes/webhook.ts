/**
 * A webhook of admission that listens, and ways to reach it that clients of a library do not have.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  type AdmissionLimits,
  type AdmissionMetrics,
  createAdmission,
  createAdmissionMetrics,
  issueCertificates,
  serveAdmission,
} from "../../src/admission/mod.ts";
import { GIT_SERVER, INNER_REGISTRY, siteOf } from "./admission.ts";
import { loggerOf } from "./testing.ts";

const { ca, cert, key } = issueCertificates();

/** A site that has everything. */
export const SITE = siteOf({ gitServer: GIT_SERVER, registry: INNER_REGISTRY });
/** Where the image of {@linkcode GOOD} leads. */
export const MOVED = "127.0.0.1:31999/library/nginx:latest-zarf-3793515731";

/** A webhook that listens, and ways to reach it. */
export interface Hooked {
  readonly port: number;
  readonly metrics: AdmissionMetrics;
  readonly lines: readonly string[];
  /** Posts to the path of pods. */
  post(body: BodyInit, headers?: Record<string, string>): Promise<Response>;
  /** Opens a connection and writes to it. */
  connect(...parts: (string | Uint8Array)[]): Promise<Deno.TlsConn>;
}

/** Serves a webhook with these limits while `action` runs. */
export async function withWebhook(
  limits: Partial<AdmissionLimits>,
  action: (hooked: Hooked) => Promise<void>,
): Promise<void> {
  const metrics = createAdmissionMetrics();
  const { logger, lines } = loggerOf("error");
  const handler = createAdmission({ site: () => SITE, logger, metrics, limits });
  const server = serveAdmission(handler, { hostname: "127.0.0.1", port: 0, tls: { cert, key } });
  const { port } = server;
  using client = Deno.createHttpClient({ caCerts: [ca] });
  const open: Deno.TlsConn[] = [];
  try {
    await action({
      port,
      metrics,
      lines,
      post: (body, headers = {}) =>
        fetch(`https://127.0.0.1:${port}/mutate/pod?timeout=3s`, {
          client,
          method: "POST",
          body,
          headers: { "content-type": "application/json", ...headers },
        }),
      async connect(...parts) {
        const connection = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [ca] });
        open.push(connection);
        for (const part of parts) {
          await connection.write(typeof part === "string" ? new TextEncoder().encode(part) : part);
        }
        return connection;
      },
    });
  } finally {
    for (const connection of open) close(connection);
    await server.shutdown();
  }
}

/** Closes a connection that the other side may have closed. */
export function close(connection: Deno.TlsConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** The head of a request of HTTP/1.1 with a review of a pod of so many bytes. */
export function head(length: number, more = ""): string {
  return "POST /mutate/pod HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" +
    `content-length: ${length}\r\n${more}\r\n`;
}

/** The beginning of what a server answers on a connection. */
export async function answerOn(connection: Deno.TlsConn): Promise<string> {
  const buffer = new Uint8Array(4096);
  const read = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, read ?? 0));
}

/** A question about a new object. */
export function review(object: unknown, kind = "Pod", more: Record<string, unknown> = {}) {
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "the-uid", kind: { kind }, operation: "CREATE", object, ...more },
  };
}

/** A pod of one container. */
export const pod = (image: string, more: Record<string, unknown> = {}) => ({
  metadata: { name: "web" },
  spec: { containers: [{ name: "web", image }], ...more },
});

/** A review of a pod that is changed. */
export const GOOD = JSON.stringify(review(pod("nginx")));

/** Checks that a pod is answered as always. */
export async function assertServes({ post }: Hooked): Promise<void> {
  const response = await post(GOOD);
  assert.equal(response.status, 200);
  const { uid, allowed, patch } = (await response.json()).response;
  assert.deepEqual([uid, allowed], ["the-uid", true]);
  assert.ok(atob(patch).includes(MOVED));
}
