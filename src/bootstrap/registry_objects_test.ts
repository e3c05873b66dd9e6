import assert from "node:assert/strict";
import { compareSync } from "bcryptjs";
import { newState } from "../zarf/mod.ts";
import {
  credentialsMark,
  NEXT_LABELS,
  nextRegistryPod,
  registryDeployment,
  registrySecret,
  registryService,
  type RegistryWishes,
} from "./registry_objects.ts";

const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

/** The Deployment that the real Zarf left in a cluster. */
interface Deployment {
  kind: string;
  metadata: { name: string };
  spec: {
    selector: unknown;
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        containers: {
          command: string[];
          env: { name: string; value: string }[];
          ports: unknown;
          securityContext: Record<string, unknown>;
        }[];
        securityContext: unknown;
        priorityClassName: string;
        tolerations: { key?: string; effect?: string; tolerationSeconds?: number }[];
      };
    };
  };
}

async function zarfsDeployment(): Promise<Deployment> {
  const path = new URL(
    "../../test/fixtures/zarf-cluster/nodeport/zarf-workloads.json",
    import.meta.url,
  );
  const list: { items: Deployment[] } = JSON.parse(await Deno.readTextFile(path));
  const found = list.items.find((item) =>
    item.kind === "Deployment" && item.metadata.name === "zarf-docker-registry"
  );
  assert(found);
  return found;
}

const ours = registryDeployment({
  image: "127.0.0.1:31999/library/registry:3.1.2",
  storageDir: "/var/lib/holdfast/registry",
  state,
}) as unknown as Deployment;

Deno.test("the Deployment is Zarf's where clients rely on it", async () => {
  const zarf = await zarfsDeployment();
  const [theirs, mine] = [zarf.spec.template.spec, ours.spec.template.spec];
  assert.deepEqual(ours.spec.selector, zarf.spec.selector);
  assert.deepEqual(mine.containers[0]?.command, theirs.containers[0]?.command);
  assert.deepEqual(mine.containers[0]?.ports, theirs.containers[0]?.ports);
  assert.deepEqual(mine.securityContext, theirs.securityContext);
  assert.equal(mine.priorityClassName, theirs.priorityClassName);
  for (const variable of theirs.containers[0]?.env ?? []) {
    assert(
      mine.containers[0]?.env.some((one) =>
        one.name === variable.name && one.value === variable.value
      ),
      `${variable.name} is ${variable.value}`,
    );
  }
});

Deno.test("no webhook touches the registry's own pod", () => {
  assert.equal(ours.spec.template.metadata.labels["zarf.dev/agent"], "ignore");
});

Deno.test("it may run on a control plane, and leaves a node that is cordoned or gone", () => {
  const { tolerations } = ours.spec.template.spec;
  assert(tolerations.some((one) => one.key === "node-role.kubernetes.io/control-plane"));
  assert(tolerations.every((one) => one.key !== undefined), "no toleration of everything");
  assert(!tolerations.some((one) => one.key === "node.kubernetes.io/unschedulable"));
  const forever = tolerations.filter((one) =>
    one.effect !== "NoSchedule" && one.tolerationSeconds === undefined
  );
  assert.deepEqual(forever, []);
});

Deno.test("the Service selects the Deployment's pods", () => {
  const service = registryService() as unknown as { spec: { selector: Record<string, string> } };
  for (const [key, value] of Object.entries(service.spec.selector)) {
    assert.equal(ours.spec.template.metadata.labels[key], value);
  }
});

Deno.test("the htpasswd file lets the state's two users in and nobody else", () => {
  const secret = registrySecret(state) as unknown as {
    stringData: { htpasswd: string; configData: string };
  };
  const users = new Map(
    secret.stringData.htpasswd.trim().split("\n").map((line) => {
      const [user = "", hash = ""] = line.split(/:(.*)/s);
      return [user, hash] as const;
    }),
  );
  const { pushUsername, pushPassword, pullUsername, pullPassword } = state.registryInfo;
  assert.deepEqual([...users.keys()], [pushUsername, pullUsername]);
  assert(compareSync(pushPassword, users.get(pushUsername) ?? ""));
  assert(compareSync(pullPassword, users.get(pullUsername) ?? ""));
  assert(!compareSync(pullPassword, users.get(pushUsername) ?? ""));
  assert.equal(JSON.parse(secret.stringData.configData).http.secret, state.registryInfo.secret);
});

Deno.test("the mark of the credentials changes with them and does not hold them", () => {
  const other = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
  assert.equal(credentialsMark(state), credentialsMark(state));
  assert.notEqual(credentialsMark(state), credentialsMark(other));
  assert(!credentialsMark(state).includes(state.registryInfo.pushPassword));
});

/** The container of a registry that somebody wishes something of. */
function wished(wishes: RegistryWishes) {
  const { template } = (registryDeployment({
    image: "127.0.0.1:31999/library/registry:3.1.2",
    storageDir: "/var/lib/holdfast/registry",
    state,
    wishes,
  }) as unknown as Deployment).spec;
  const [container] = template.spec.containers;
  assert(container);
  return { ...template.spec, container: container as typeof container & { resources: unknown } };
}

Deno.test("what is wished of the registry's pod is there beside what it has by itself", () => {
  const usual = wished({});
  const toleration = { key: "edge", operator: "Exists" };
  const { container, tolerations } = wished({
    requests: { cpu: "1" },
    limits: { memory: "8Gi" },
    tolerations: [toleration],
    env: [{ name: "A", value: "b" }, { name: "C", valueFrom: { fieldRef: { fieldPath: "d" } } }],
    tracesExporter: "otlp",
  });
  assert.deepEqual(container.resources, {
    requests: { cpu: "1", memory: "64Mi" },
    limits: { memory: "8Gi" },
  });
  assert.deepEqual(tolerations, [...usual.tolerations, toleration]);
  const values = new Map(container.env.map((one) => [one.name, one]));
  assert.deepEqual(values.get("A"), { name: "A", value: "b" });
  assert.deepEqual(values.get("C"), {
    name: "C",
    valueFrom: { fieldRef: { fieldPath: "d" } },
  });
  assert.equal(values.get("OTEL_TRACES_EXPORTER")?.value, "otlp");
  assert.equal(values.size, usual.container.env.length + 2);
});

Deno.test("nobody can wish for a registry that lets everybody in or stores elsewhere", () => {
  const { env } = wished({}).container;
  const others = env.map(({ name }) => ({ name, value: "other" }));
  assert.deepEqual(wished({ env: others }).container.env, env);
});

Deno.test("the pod beside the old one is the Deployment's, on one node", () => {
  const plan = { image: "i", storageDir: "/d", state };
  const pod = nextRegistryPod(plan, "node-1") as unknown as {
    metadata: { labels: Record<string, string> };
    spec: { containers: unknown; affinity: unknown };
  };
  const { template } = (registryDeployment(plan) as unknown as Deployment).spec;
  assert.deepEqual(pod.spec.containers, template.spec.containers);
  for (const [name, value] of Object.entries(template.metadata.labels)) {
    assert.equal(pod.metadata.labels[name], value);
  }
  const { selector } = (registryService(NEXT_LABELS) as unknown as {
    spec: { selector: Record<string, string> };
  }).spec;
  for (const [name, value] of Object.entries(selector)) {
    assert.equal(pod.metadata.labels[name], value);
  }
  assert.equal(template.metadata.labels["holdfast.dev/registry"], undefined);
  assert.match(JSON.stringify(pod.spec.affinity), /required.*"metadata.name".*"node-1"/);
});
