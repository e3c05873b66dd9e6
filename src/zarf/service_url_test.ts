import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { serviceUrl } from "./service_url.ts";

const NAME = "zarf-gitea-http.zarf.svc.cluster.local:3000";

const service = (clusterIP: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "zarf-gitea-http", namespace: "zarf" },
  spec: { clusterIP, ports: [{ name: "ssh", port: 22 }, { name: "http", port: 3000 }] },
} as AnyObject);

const slice = (name: string, addresses: readonly string[], ready: boolean, more = {}) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name,
    namespace: "zarf",
    labels: { "kubernetes.io/service-name": "zarf-gitea-http" },
  },
  ports: [{ name: "ssh", port: 2222 }, { name: "http", port: 3001 }],
  endpoints: [{ addresses, conditions: { ready } }],
  ...more,
} as AnyObject);

const ROWS: readonly [what: string, objects: AnyObject[], address: string, expected: string][] = [
  ["its cluster IP", [service("10.96.0.9")], `http://${NAME}`, "http://10.96.0.9:3000"],
  ["its cluster IP", [service("10.96.0.9")], `http://${NAME}/git/`, "http://10.96.0.9:3000/git"],
  ["its cluster IP of IPv6", [service("fd00::9")], `http://${NAME}`, "http://[fd00::9]:3000"],
  [
    "a ready endpoint of one without an IP",
    [
      service("None"),
      slice("a", ["10.244.0.4"], false),
      slice("b", ["10.244.0.5"], true),
      slice("c", ["10.244.0.6"], true, {
        metadata: { name: "c", namespace: "zarf", labels: { "kubernetes.io/service-name": "x" } },
      }),
    ],
    `http://${NAME}/git`,
    "http://10.244.0.5:3001/git",
  ],
  [
    "a ready endpoint of IPv6",
    [service("None"), slice("a", ["fd00::5"], true)],
    `http://${NAME}`,
    "http://[fd00::5]:3001",
  ],
  ["the address while nothing is ready", [service("None")], `http://${NAME}`, `http://${NAME}`],
  [
    "the address where nothing has its port",
    [service("None"), slice("a", ["10.244.0.5"], true, { ports: null })],
    `http://${NAME}`,
    `http://${NAME}`,
  ],
  ["the address of no Service", [], `http://${NAME}`, `http://${NAME}`],
  ["the address with a certificate", [service("10.96.0.9")], `https://${NAME}`, `https://${NAME}`],
  ["another address", [service("10.96.0.9")], "http://git.example:80/", "http://git.example:80"],
];

for (const [what, objects, address, expected] of ROWS) {
  Deno.test(`a node reaches ${address} at ${what}`, async () => {
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    objects.forEach((object) => api.put(object));
    assert.equal(await serviceUrl(api.client, address), expected);
  });
}
