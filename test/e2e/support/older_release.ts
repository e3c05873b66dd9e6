/**
 * Releases that were made on an older cluster: what Helm has kept of them names API versions that the
 * cluster of today does not serve.
 *
 * @module
 */
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Cluster } from "../../cluster/mod.ts";

/** What was deployed of a kind that nothing took the place of. */
const GONE = `---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: gone}
spec: {}
`;

/** Makes the newest revision of a release say what it would say if it had been made years ago. */
export async function makeOlder(
  cluster: Cluster,
  namespace: string,
  release: string,
  revision: number,
): Promise<void> {
  const secret = `sh.helm.release.v1.${release}.v${revision}`;
  const packed = await cluster.kubectl([
    ...["get", "secret", secret, "-n", namespace, "-o", "jsonpath={.data.release}"],
  ]);
  const content = JSON.parse(gunzipSync(Uint8Array.fromBase64(atob(packed))).toString());
  const old = content.manifest
    .replace("policy/v1", "policy/v1beta1")
    .replace("networking.k8s.io/v1", "extensions/v1beta1");
  assert.match(old, /policy\/v1beta1/);
  assert.match(old, /extensions\/v1beta1/);
  const changed = gzipSync(JSON.stringify({ ...content, manifest: `${old.trimEnd()}\n${GONE}` }));
  const patch = JSON.stringify({ data: { release: btoa(changed.toString("base64")) } });
  await cluster.kubectl(["patch", "secret", secret, "-n", namespace, "--patch", patch]);
}
