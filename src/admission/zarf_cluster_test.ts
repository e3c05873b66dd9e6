/*
 * What the real agent of Zarf 0.84 left in two clusters, without a git server: test/fixtures/zarf-cluster.
 */
import assert from "node:assert/strict";
import { applyPatch } from "../../test/fakes/json_patch.ts";
import { silentLogger } from "../std/mod.ts";
import type { Site } from "./site.ts";
import { createAdmission } from "./webhook.ts";

type Json = Readonly<Record<string, unknown>>;

interface KubeObject extends Json {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

const PATHS: Readonly<Record<string, string>> = {
  Pod: "/mutate/pod",
  GitRepository: "/mutate/flux-gitrepository",
  HelmRepository: "/mutate/flux-helmrepository",
  OCIRepository: "/mutate/flux-ocirepository",
  Application: "/mutate/argocd-application",
  ApplicationSet: "/mutate/argocd-applicationset",
  AppProject: "/mutate/argocd-appproject",
  Secret: "/mutate/argocd-repository",
};

const SERVICE = "zarf-docker-registry.zarf.svc.cluster.local:5000";
const CHART = "application/vnd.cncf.helm.config.v1+json";
/** The cluster IPs of the registry, as namespace `zarf` had them. */
const CLUSTERS = { nodeport: "10.98.222.164:5000", proxy: "10.100.12.220:5000" } as const;
type ClusterName = keyof typeof CLUSTERS;

function read(cluster: ClusterName, name: string) {
  const url = new URL(`../../test/fixtures/zarf-cluster/${cluster}/${name}.json`, import.meta.url);
  return JSON.parse(Deno.readTextFileSync(url));
}

function siteOf(cluster: ClusterName): Site {
  const { registryInfo } = read(cluster, "zarf-state.decoded");
  const { address, pullUsername, pullPassword, mtlsStrategy } = registryInfo;
  return {
    registryAddress: address,
    registry: {
      serviceAddress: SERVICE,
      clusterAddress: CLUSTERS[cluster],
      isInternal: true,
      ...{ pullUsername, pullPassword },
      ...(mtlsStrategy === "none" ? {} : { clientTls: clientTls(cluster) }),
    },
    configMediaType: (image) => Promise.resolve(image.includes("/charts/") ? CHART : "other"),
  };
}

function clientTls(cluster: ClusterName): { readonly cert: string; readonly key: string } {
  const { items }: { items: (KubeObject & { data: Record<string, string> })[] } = read(
    cluster,
    "argocd-secrets",
  );
  const secret = items.find(({ metadata }) => metadata.name === "zarf-registry-client-tls");
  return { cert: atob(secret?.data["tls.crt"] ?? ""), key: atob(secret?.data["tls.key"] ?? "") };
}

/** What would be stored. */
async function admit(
  site: Site,
  object: KubeObject,
  operation: "CREATE" | "UPDATE",
): Promise<unknown> {
  const request = { uid: "u", kind: { kind: object.kind }, operation, object, oldObject: object };
  const body = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request };
  const response = await createAdmission({ site: () => site, logger: silentLogger })(
    new Request(`https://h${PATHS[object.kind]}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
  const answer = await response.json();
  assert.equal(answer.response.allowed, true);
  const { patch } = answer.response;
  return patch === undefined ? object : applyPatch(object, JSON.parse(atob(patch)));
}

/** An object as it was before the agent saw it: packages had everything from ghcr.io. */
function unpatched(object: KubeObject): KubeObject {
  const home = (text: string) => text.replaceAll(SERVICE, "ghcr.io");
  const plain: KubeObject = JSON.parse(home(JSON.stringify(object)));
  const { "zarf-agent": _, ...labels } = plain.metadata.labels ?? {};
  const before: KubeObject = { ...plain, metadata: { ...plain.metadata, labels } };
  if (object.kind === "Secret") {
    const { url = "", enableOCI, type } = object["data"] as Readonly<Record<string, string>>;
    return { ...before, data: { enableOCI, type, url: btoa(home(atob(url))) } };
  }
  if (object.kind === "Application" || object.kind === "AppProject") return before;
  const { insecure: _1, secretRef: _2, certSecretRef: _3, ref, ...spec } = before["spec"] as Json;
  const { tag, ...others } = ref as { readonly tag?: string } | undefined ?? {};
  const own = tag === undefined ? others : { ...others, tag: tag.replace(/-zarf-\d+$/, "") };
  return { ...before, spec: { ...spec, ...(ref === undefined ? {} : { ref: own }) } };
}

/** A pod as it was, from the annotations that it bears. */
function unpatchedPod(pod: KubeObject): KubeObject {
  const { metadata, spec } = structuredClone(pod) as unknown as {
    metadata: Json & { annotations: Record<string, string>; labels: Record<string, string> };
    spec: Json & Record<string, { name: string; image: string }[]>;
  };
  for (const one of [...spec["initContainers"] ?? [], ...spec["containers"] ?? []]) {
    const key = `zarf.dev/original-image-${one.name}`;
    one.image = metadata.annotations[key] ?? assert.fail(key);
    delete metadata.annotations[key];
  }
  delete metadata.labels["zarf-agent"];
  const { imagePullSecrets: _, ...rest } = spec;
  return { ...pod, metadata, spec: rest } as unknown as KubeObject;
}

for (const cluster of ["nodeport", "proxy"] as const) {
  Deno.test(`objects become what Zarf's agent stored in the cluster in mode ${cluster}`, async (t) => {
    const site = siteOf(cluster);
    const lists = ["gitops-flux", "gitops-argocd", "argocd-secrets"];
    const sources: KubeObject[] = lists.flatMap((name) => read(cluster, name).items)
      .filter(({ metadata }) => metadata.labels?.["zarf.dev/package"] !== undefined);
    const patched = sources.filter(({ metadata }) => metadata.labels?.["zarf-agent"] === "patched");
    // The others are of git repositories, or of charts over HTTPS.
    assert.deepEqual([sources.length, patched.length], [13, 7]);
    for (const object of sources) {
      await t.step(`${object.kind} ${object.metadata.name}`, async () => {
        const before = patched.includes(object) ? unpatched(object) : object;
        assert.deepEqual(await admit(site, before, "CREATE"), object);
        assert.deepEqual(await admit(site, object, "UPDATE"), object);
      });
    }
    for (const name of ["app-small", "app-chart", "app-chart-extras"]) {
      await t.step(`Pod of ${name}`, async () => {
        const pod: KubeObject = read(cluster, `${name}-mutated-pod`);
        assert.deepEqual(await admit(site, unpatchedPod(pod), "CREATE"), pod);
        assert.deepEqual(await admit(site, pod, "UPDATE"), pod);
      });
    }
  });
}
