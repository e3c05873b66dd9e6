import assert from "node:assert/strict";
import { compareSync } from "bcryptjs";
import { newState } from "../zarf/mod.ts";
import {
  credentialsMark,
  registryDeployment,
  registrySecret,
  registryService,
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
