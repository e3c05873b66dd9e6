import { gzipSync } from "node:zlib";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { decodeBase64, encodeBase64, REGISTRY_SERVICE, ZARF_NAMESPACE } from "../zarf/mod.ts";
import { REGISTRY_SECRET } from "./registry_objects.ts";

/** The chart's version; it changes when what it renders does. */
const CHART_VERSION = "0.1.0";

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

/**
 * Makes sure that Helm knows a release `zarf-docker-registry`, so that `zarf tools update-creds` can
 * change the registry's users: it upgrades that release with another value of `secrets.htpasswd`
 * (Zarf 0.84, helm/zarf.go UpdateZarfRegistryValues). The release has of the registry's objects only
 * what such an upgrade changes: the htpasswd file, and an annotation of the pods that has them started
 * anew. The rest stays Holdfast's own. A release that is there is left as it is.
 */
export async function ensureRegistryRelease(kube: KubeClient, now: Date): Promise<void> {
  const secrets = { apiVersion: "v1", kind: "Secret", namespace: ZARF_NAMESPACE };
  const labelSelector = `owner=helm,name=${REGISTRY_SERVICE}`;
  if ((await kube.list(secrets, { labelSelector })).items.length > 0) return;
  const secret = await kube.get<SecretObject>({ ...secrets, name: REGISTRY_SECRET });
  const htpasswd = decodeBase64(secret?.data?.["htpasswd"] ?? "");
  if (htpasswd === undefined || htpasswd === "") return;
  await kube.apply(releaseSecret(htpasswd, now), { force: true });
}

/**
 * Helm's first revision of the release, as it stores it (helm 4, pkg/storage/driver/secrets.go and
 * util.go). It says nothing of how it was applied, which is client-side apply to Helm: what an upgrade
 * does not change then stays, whoever wrote it.
 */
export function releaseSecret(htpasswd: string, now: Date): KubeObject {
  const at = now.toISOString();
  const release = {
    name: REGISTRY_SERVICE,
    namespace: ZARF_NAMESPACE,
    version: 1,
    info: {
      first_deployed: at,
      last_deployed: at,
      description: "The registry that Holdfast provides",
      status: "deployed",
    },
    chart: {
      metadata: {
        apiVersion: "v2",
        name: REGISTRY_SERVICE,
        version: CHART_VERSION,
        description: "The users of the registry that Holdfast provides",
      },
      templates: [{ name: TEMPLATE_NAME, data: encodeBase64(TEMPLATE) }],
      values: { secrets: { htpasswd } },
    },
    manifest: manifest(htpasswd),
  };
  // Helm's driver encodes the release itself; what every Secret holds is encoded once more.
  const encoded = gzipSync(JSON.stringify(release)).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "helm.sh/release.v1",
    metadata: {
      name: `sh.helm.release.v1.${REGISTRY_SERVICE}.v1`,
      namespace: ZARF_NAMESPACE,
      labels: { name: REGISTRY_SERVICE, owner: "helm", status: "deployed", version: "1" },
    },
    data: { release: encodeBase64(encoded) },
  };
}

const TEMPLATE_NAME = "templates/users.yaml";
/** What differs from one state to the next: how Helm has it, and how it is for the first one. */
const HTPASSWD = "{{ .Values.secrets.htpasswd | b64enc }}";
const CHECKSUM = "{{ .Values.secrets.htpasswd | sha256sum }}";

/** Without the pods' labels: Zarf would add one, and so start them anew without need. */
const TEMPLATE = `apiVersion: v1
kind: Secret
metadata:
  name: ${REGISTRY_SECRET}
  namespace: ${ZARF_NAMESPACE}
type: Opaque
data:
  htpasswd: ${HTPASSWD}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${REGISTRY_SERVICE}
  namespace: ${ZARF_NAMESPACE}
spec:
  selector:
    matchLabels:
      app: docker-registry
      release: ${REGISTRY_SERVICE}
  template:
    metadata:
      annotations:
        holdfast.dev/users: "${CHECKSUM}"
`;

/** The first one has no annotation yet: Helm compares with what is there, and adds it. */
function manifest(htpasswd: string): string {
  return TEMPLATE.replace(HTPASSWD, encodeBase64(htpasswd)).replace(CHECKSUM, "");
}
