import * as v from "valibot";
import type { KubeClient } from "../kube/mod.ts";
import { serviceAt } from "./git_server.ts";

const ServiceSchema = v.object({
  spec: v.object({
    clusterIP: v.optional(v.string(), ""),
    ports: v.optional(
      v.array(v.object({ port: v.number(), name: v.optional(v.string(), "") })),
      [],
    ),
  }),
});

const SliceSchema = v.object({
  ports: v.nullish(v.array(v.object({ name: v.nullish(v.string()), port: v.number() })), []),
  endpoints: v.nullish(
    v.array(v.object({
      addresses: v.array(v.string()),
      conditions: v.optional(v.object({ ready: v.nullish(v.boolean()) }), {}),
    })),
    [],
  ),
});

/**
 * Where a node reaches what an address names, `http://name.namespace.svc.cluster.local:port`: nodes do
 * not resolve the cluster's names. It is the Service's cluster IP, or of one without (Gitea's chart
 * makes such a one) an endpoint that is ready; an address that names no Service, and one for which a
 * certificate must be shown, stays as it is.
 */
export async function serviceUrl(kube: KubeClient, address: string): Promise<string> {
  const plain = address.replace(/\/+$/, "");
  const named = serviceAt(address);
  if (named === undefined || !address.startsWith("http:")) return plain;
  const { namespace, name } = named;
  const service = v.safeParse(
    ServiceSchema,
    await kube.get({ apiVersion: "v1", kind: "Service", namespace, name }),
  );
  if (!service.success) return plain;
  const { clusterIP, ports } = service.output.spec;
  if (clusterIP !== "" && clusterIP !== "None") return at(plain, clusterIP, named.port);
  const port = ports.find((one) => one.port === named.port)?.name ?? "";
  return await endpointUrl(kube, plain, named, port) ?? plain;
}

async function endpointUrl(
  kube: KubeClient,
  address: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  portName: string,
): Promise<string | undefined> {
  const { items } = await kube.list(
    { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", namespace },
    { labelSelector: `kubernetes.io/service-name=${name}` },
  );
  for (const item of items) {
    const slice = v.safeParse(SliceSchema, item);
    if (!slice.success) continue;
    const { ports, endpoints } = slice.output;
    const port = ports?.find((one) => (one.name ?? "") === portName)?.port;
    const [ip] = endpoints?.find(({ conditions }) => conditions.ready === true)?.addresses ?? [];
    if (port !== undefined && ip !== undefined) return at(address, ip, port);
  }
  return undefined;
}

function at(address: string, ip: string, port: number): string {
  const url = new URL(address);
  url.hostname = ip.includes(":") ? `[${ip}]` : ip;
  url.port = String(port);
  return url.href.replace(/\/+$/, "");
}
