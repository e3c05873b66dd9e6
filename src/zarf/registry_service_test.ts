import assert from "node:assert/strict";
import { nodePortOf, registryServiceAt, registryServiceOf } from "./registry_service.ts";
import { parseState } from "./state.ts";

/** A state with this registry; without a mode Zarf finds one by the address. */
function stateWith(registryInfo: Record<string, unknown>) {
  return parseState(JSON.stringify({ registryInfo }));
}

interface ServiceParts {
  readonly namespace?: string;
  readonly type?: string;
  readonly clusterIP?: string;
  readonly ports?: readonly { readonly port: number; readonly nodePort?: number }[];
}

function service(name: string, parts: ServiceParts = {}) {
  const { namespace = "zarf", type, clusterIP = "10.96.0.12", ports = [{ port: 5000 }] } = parts;
  return { kind: "Service", metadata: { name, namespace }, spec: { type, clusterIP, ports } };
}

const OURS = service("zarf-docker-registry");
/** The Service of Zarf's own chart. */
const ZARFS = service("zarf-docker-registry", {
  type: "NodePort",
  ports: [{ port: 5000, nodePort: 31999 }],
});
const FOREIGN = service("registry", {
  namespace: "infra",
  type: "NodePort",
  clusterIP: "10.96.0.77",
  ports: [{ port: 80, nodePort: 30080 }, { port: 3333, nodePort: 30500 }],
});
const DNS = "zarf-docker-registry.zarf.svc.cluster.local:5000";
const FOUND = { address: DNS, clusterAddress: "10.96.0.12:5000" };

const LOCAL = { address: "127.0.0.1:31999", port: 31999 };
const rows: [
  what: string,
  registry: Record<string, unknown>,
  services: readonly unknown[],
  expected: { address: string; clusterAddress: string } | undefined,
][] = [
  ["Holdfast's registry", { ...LOCAL, registryMode: "nodeport" }, [FOREIGN, OURS], FOUND],
  ["Zarf's registry", { ...LOCAL, registryMode: "nodeport" }, [FOREIGN, ZARFS], FOUND],
  ["Zarf's registry of an older Zarf", { address: "[::1]:31999", nodePort: 31999 }, [ZARFS], FOUND],
  ["proxy mode", { address: "127.0.0.1:5000", registryMode: "proxy" }, [OURS], FOUND],
  [
    "another port of the Service",
    { address: "127.0.0.1:5000", registryMode: "proxy" },
    [service("zarf-docker-registry", { ports: [{ port: 5443 }, { port: 9 }] })],
    {
      address: "zarf-docker-registry.zarf.svc.cluster.local:5443",
      clusterAddress: "10.96.0.12:5443",
    },
  ],
  [
    "a cluster of IPv6",
    { address: "[::1]:31999", registryMode: "nodeport" },
    [service("zarf-docker-registry", { clusterIP: "fd00::5" })],
    { address: DNS, clusterAddress: "[fd00::5]:5000" },
  ],
  ["no Service yet", { ...LOCAL, registryMode: "nodeport" }, [FOREIGN], undefined],
  [
    "a Service of that name elsewhere",
    { ...LOCAL, registryMode: "nodeport" },
    [service("zarf-docker-registry", { namespace: "other" })],
    undefined,
  ],
  [
    "a Service without an address",
    { ...LOCAL, registryMode: "nodeport" },
    [service("zarf-docker-registry", { clusterIP: "None" })],
    undefined,
  ],
  [
    "a Service without ports",
    { ...LOCAL, registryMode: "nodeport" },
    [service("zarf-docker-registry", { ports: [] })],
    undefined,
  ],
  ["what is no Service", { ...LOCAL, registryMode: "nodeport" }, [null, {}, "x", OURS], FOUND],
  [
    "an external registry",
    { address: "registry.example.com", registryMode: "external" },
    [OURS, ZARFS, FOREIGN],
    undefined,
  ],
  [
    "an external registry on a node port",
    { address: "127.0.0.1:30500/prefix", registryMode: "external" },
    [OURS, FOREIGN],
    { address: "registry.infra.svc.cluster.local:3333", clusterAddress: "10.96.0.77:3333" },
  ],
  [
    "a node port of nobody",
    { address: "127.0.0.1:30501", registryMode: "external" },
    [OURS, FOREIGN],
    undefined,
  ],
  [
    "a Service that only lists a node port",
    { address: "127.0.0.1:30500", registryMode: "external" },
    [{ ...FOREIGN, spec: { ...FOREIGN.spec, type: "LoadBalancer" } }],
    undefined,
  ],
];

for (const [what, registry, services, expected] of rows) {
  Deno.test(`the registry's Service is found as Zarf finds it: ${what}`, () => {
    assert.deepEqual(registryServiceOf(stateWith(registry), services), expected);
  });
}

Deno.test("an address means a node port as in Zarf's own vectors (tunnel_test.go)", () => {
  const vectors: [address: string, port: number | undefined][] = [
    ["example.com:30001", undefined],
    ["http://localhost:8080", undefined],
    ["http://localhost:30001", 30001],
    ["localhost:30001", 30001],
    ["127.0.0.1:30001", 30001],
    ["127.8.8.8:30000", 30000],
    ["[::1]:32767", 32767],
    ["127.0.0.1:32768", undefined],
    ["127.0.0.1:29999", undefined],
    ["192.168.1.5:30001", undefined],
    ["127.0.0.1.example.com:30001", undefined],
    ["127.0.0.1", undefined],
    ["", undefined],
  ];
  for (const [address, port] of vectors) assert.equal(nodePortOf(address), port, address);
});

Deno.test("an IPv6 cluster IP is in brackets once, with or without them before", () => {
  for (const ip of ["fd00::5", "[fd00::5]"]) {
    assert.equal(registryServiceAt(ip).clusterAddress, "[fd00::5]:5000");
  }
  assert.deepEqual(registryServiceAt("10.96.0.12"), FOUND);
});
