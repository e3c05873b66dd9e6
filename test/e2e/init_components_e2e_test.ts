import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import type { ImageSpec } from "../../extension/build/oci_image.ts";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { loadState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, ROOT, TestAgent } from "./support/agent.ts";
import { Origin, packageOf } from "./support/git_packages.ts";
import { initPackage, registryImageSpec } from "./support/init_packages.ts";
import { zarf } from "./support/zarf.ts";

/*
 * An init package with optional components, one of which brings a git server: what of it is taken, how
 * it is recorded, and what comes after it.
 */

/** Where the stand-in for Gitea keeps what it was given, in the node. */
const GITEA_DIR = "/var/gitea";
const LOGGING = "r.example/logging/agent:1";

/** Zarf's own actions of its git server (Zarf 0.84, packages/gitea/zarf.yaml), and a wait before. */
const GIT_ACTIONS = {
  onDeploy: {
    before: [{
      cmd: "./zarf internal update-gitea-pvc",
      setVariables: [{ name: "GIT_SERVER_CREATE_PVC" }],
      mute: true,
    }],
    after: [
      // In place of the pod that the chart would wait for.
      { wait: { network: { protocol: "tcp", address: "127.0.0.1:3000" } }, maxTotalSeconds: 30 },
      {
        cmd: "./zarf internal create-read-only-gitea-user",
        maxRetries: 3,
        maxTotalSeconds: 60,
        description: "Create the read-only Gitea user",
      },
      {
        cmd: "./zarf internal create-artifact-registry-token",
        maxRetries: 3,
        maxTotalSeconds: 60,
        description: "Create an artifact registry token",
      },
    ],
    onFailure: [{ cmd: "./zarf internal update-gitea-pvc --rollback" }],
  },
};

const COMPONENTS = [
  {
    name: "git-server",
    charts: [{
      ...{ name: "gitea", releaseName: "zarf-gitea", localPath: "gitea", version: "12.3.0" },
      ...{ namespace: "zarf", valuesFiles: ["gitea-values.yaml"] },
    }],
    actions: GIT_ACTIONS,
  },
  {
    name: "logging",
    imageArchives: [{ path: "../images.tar", images: [LOGGING] }],
    manifests: [{ name: "logging", namespace: "logging", files: ["logging.yaml"] }],
  },
  {
    name: "not-chosen",
    manifests: [{ name: "none", namespace: "none", files: ["logging.yaml"] }],
  },
];

/** As Gitea's chart: a Service without an IP, here with the node for a pod. */
function gitChart(nodeIp: string): Record<string, string> {
  return {
    "gitea/Chart.yaml": "apiVersion: v2\nname: gitea\nversion: 12.3.0\n",
    "gitea/templates/it.yaml": `apiVersion: v1
kind: Secret
metadata: { name: gitea-admin }
stringData: { username: {{ .Values.admin.username | quote }}, password: {{ .Values.admin.password | quote }} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: gitea-values }
data: { create: {{ .Values.persistence.create | quote }}, size: {{ .Values.persistence.size | quote }} }
---
apiVersion: v1
kind: Service
metadata: { name: zarf-gitea-http }
spec: { clusterIP: None, ports: [{ name: http, port: 3000, targetPort: 3000 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: zarf-gitea-http-1, labels: { kubernetes.io/service-name: zarf-gitea-http } }
addressType: IPv4
endpoints: [{ addresses: ["${nodeIp}"], conditions: { ready: true } }]
ports: [{ name: http, port: 3000, protocol: TCP }]
`,
    "gitea-values.yaml": `persistence:
  create: ###ZARF_VAR_GIT_SERVER_CREATE_PVC###
  size: "###ZARF_VAR_GIT_SERVER_PVC_SIZE###"
admin:
  username: "###ZARF_GIT_PUSH###"
  password: "###ZARF_GIT_AUTH_PUSH###"
`,
    "logging.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: { name: logging }
spec:
  selector: { matchLabels: { app: logging } }
  template:
    metadata: { labels: { app: logging } }
    spec: { containers: [{ name: agent, image: "${LOGGING}" }] }
`,
  };
}

/** What a site decides about the package. */
const SETTINGS = {
  package: {
    deploy: {
      components: "git-server,logging",
      set: {
        REGISTRY_PVC_SIZE: "50Gi",
        REGISTRY_MEM_LIMIT: "1Gi",
        REGISTRY_TOLERATIONS: "- { key: edge, operator: Exists }",
        AGENT_NODE_SELECTOR: "{ edge: 'true' }",
        GIT_SERVER_PVC_SIZE: "5Gi",
      },
    },
  },
};

interface Scene {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
  readonly kube: KubeClient;
  readonly directory: string;
  readonly init: string;
}

Deno.test({
  name: "an init package brings registry and chosen components, and is the site's init package",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-e2e-" });
    try {
      await using cluster = await Cluster.up({ name: "components" });
      const [node] = cluster.nodes;
      assert.ok(node);
      const agent = new TestAgent(node);
      const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
      try {
        const init = await makeInit(`${directory}/init`, node.ip);
        await agent.start({ flags: ["--actions=always"] });
        await node.spawn(Deno.execPath(), [
          ...["run", "-A", "--no-check", `--config=${ROOT}/deno.json`],
          ...[`${ROOT}/test/e2e/support/gitea_main.ts`, "/etc/kubernetes/admin.conf", GITEA_DIR],
        ], { env: { HOME: "/root", DENO_DIR: denoDirectory(), DENO_NO_UPDATE_CHECK: "1" } });
        await steps(t, { cluster, agent, kube, directory, init });
      } finally {
        kube.close();
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function steps(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step(
    "what a site chose is deployed, and the rest of the verdict says",
    () => deployed(scene),
  );
  await t.step("the registry is what the package and the site say", () => registry(scene));
  await t.step("the real zarf finds an init package, and its credentials", () => listed(scene));
  await t.step("the git server has its users, and is the site's", () => gitServer(scene));
  await t.step("repositories of later packages are pushed there", () => pushed(scene));
  await t.step("a component that makes a cluster is refused", () => refused(scene));
  assert.equal(await scene.cluster.outsidePackets(), 0);
}

function denoDirectory(): string {
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
}

async function makeInit(directory: string, nodeIp: string): Promise<string> {
  const logging: ImageSpec = {
    references: [LOGGING],
    entries: [{ path: "pause", file: await ensureTool(TOOLS.node), mode: 0o755 }],
    config: { entrypoint: ["/pause"], user: "65532:65532" },
  };
  const { file } = await initPackage(directory, {
    version: "v0.84.0",
    registry: await registryImageSpec("3.1.3", "components"),
    images: [logging],
    variables: [
      { name: "REGISTRY_TOLERATIONS", default: "", autoIndent: true },
      { name: "GIT_SERVER_EXISTING_PVC", default: "data-zarf-gitea-0" },
      { name: "GIT_SERVER_PVC_SIZE", default: "10Gi" },
    ],
    components: COMPONENTS,
    files: gitChart(nodeIp),
  });
  return file;
}

async function decide({ agent }: Scene, settings: unknown): Promise<void> {
  const path = agent.hostPath("/var/drop/init.tar.zst.config.yaml");
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, JSON.stringify(settings));
}

async function deployed(scene: Scene): Promise<void> {
  await decide(scene, SETTINGS);
  const verdict = await scene.agent.settled(await scene.agent.drop(scene.init, "init.tar.zst"));
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await scene.agent.logTail(30)}`);
  assert.deepEqual(verdict.components.map(({ name, message }) => `${name}: ${message}`), [
    "zarf-injector: provided by Holdfast",
    "zarf-seed-registry: provided by Holdfast",
    "zarf-registry: provided by Holdfast: the registry runs docker.io/library/registry:3.1.3; " +
    "not used: REGISTRY_PVC_SIZE",
    "zarf-agent: provided by Holdfast; not used: AGENT_NODE_SELECTOR",
    "git-server: ready",
    "logging: ready",
  ]);
  const names = await scene.cluster.kubectl(["get", "cm,secret", "-n", "zarf", "-o", "name"]);
  assert.doesNotMatch(names, /zarfs-own/, "Zarf's charts are not installed");
  assert.match(names, /gitea-admin/);
}

interface Deployment extends KubeObject {
  spec: {
    template: {
      spec: {
        containers: { image: string; resources: unknown }[];
        tolerations: { key?: string }[];
      };
    };
  };
}

async function registry({ kube, cluster }: Scene): Promise<void> {
  const found = await kube.get<Deployment>({
    ...{ apiVersion: "apps/v1", kind: "Deployment" },
    ...{ namespace: "zarf", name: "zarf-docker-registry" },
  });
  const { containers, tolerations } = found?.spec.template.spec ?? assert.fail("no registry");
  assert.match(containers[0]?.image ?? "", /registry:3\.1\.3@sha256:/);
  assert.deepEqual(containers[0]?.resources, {
    limits: { memory: "1Gi" },
    requests: { cpu: "50m", memory: "256Mi" },
  });
  assert.ok(tolerations.some(({ key }) => key === "edge"));
  // Of the component's manifests nothing is left out.
  await cluster.kubectl(["get", "service", "-n", "zarf", "zarf-connect-registry"]);
}

async function listed({ cluster, kube, directory }: Scene): Promise<void> {
  const env = { KUBECONFIG: cluster.kubeconfig(), HOME: directory };
  const list = await zarf(["package", "list", "-o", "json"], undefined, env);
  assert.ok(list.ok, list.text);
  assert.deepEqual(JSON.parse(list.output), [{
    ...JSON.parse(list.output)[0],
    package: "init",
    version: "v0.84.0",
    components: [
      ...["zarf-injector", "zarf-seed-registry", "zarf-registry", "zarf-agent"],
      ...["git-server", "logging"],
    ],
  }]);
  const { gitServer } = await loadState(kube) ?? assert.fail("no state");
  for (
    const [key, password] of [
      ["git", gitServer.pushPassword],
      ["git-readonly", gitServer.pullPassword],
    ] as const
  ) {
    const { ok, output, text } = await zarf(["tools", "get-creds", key], undefined, env);
    assert.ok(ok, text);
    assert.equal(output.trim(), password);
  }
}

async function gitServer({ agent, kube, cluster }: Scene): Promise<void> {
  const state = await loadState(kube) ?? assert.fail("no state");
  const { address, pullUsername, pullPassword, pushUsername } = state.gitServer;
  assert.equal(address, "http://zarf-gitea-http.zarf.svc.cluster.local:3000");
  assert.equal(pushUsername, "zarf-git-user");
  const told = JSON.parse(await agent.node.readFile(`${GITEA_DIR}/told.json`));
  assert.deepEqual(
    told.users.map((user: Record<string, unknown>) => [user["username"], user["password"]]),
    [[pullUsername, pullPassword]],
  );
  const [[name, { sha1 }]] = told.tokens;
  assert.equal(name, "zarf-artifact-registry-token");
  assert.equal(state.artifactServer.pushPassword, sha1);
  const values = JSON.parse(
    await cluster.kubectl(["get", "cm", "-n", "zarf", "gitea-values", "-o", "jsonpath={.data}"]),
  );
  assert.deepEqual(values, { create: "true", size: "5Gi" });
  const ref = {
    apiVersion: "v1",
    kind: "Secret",
    namespace: "logging",
    name: "private-git-server",
  };
  const secret = await eventually("secret of the readers", () => kube.get(ref), 60_000);
  assert.deepEqual(secret["data"], {
    username: btoa(pullUsername ?? ""),
    password: btoa(pullPassword ?? ""),
  });
}

async function pushed({ agent, directory }: Scene): Promise<void> {
  const origin = await Origin.make(`${directory}`);
  const file = await packageOf([origin.url], "1.0.0", `${directory}/later`);
  const verdict = await agent.settled(await agent.drop(file));
  assert.equal(verdict.phase, "Ready", verdict.message);
  const tip = await origin.clone.git("rev-parse", "HEAD");
  const bare = `${GITEA_DIR}/zarf-git-user/${origin.name}.git`;
  const { stdout, stderr } = await agent.node.exec("git", [
    ...["-c", "safe.directory=*", "--git-dir", bare, "rev-parse", "refs/heads/main"],
  ]);
  assert.equal(stdout.trim(), tip, stderr);
}

async function refused(scene: Scene): Promise<void> {
  const generation = async () => {
    const data = await scene.cluster.kubectl([
      ...["get", "secret", "-n", "zarf", "zarf-package-init", "-o", "jsonpath={.data.data}"],
    ]);
    return JSON.parse(atob(data)).generation;
  };
  const before = await generation();
  await decide(scene, { package: { deploy: { components: "k3s" } } });
  const verdict = await eventually("refusal", async () => {
    const found = await scene.agent.verdict("/var/drop/init.tar.zst");
    return found?.phase === "Failed" ? found : undefined;
  });
  assert.equal(verdict.reason, "Unsupported");
  assert.match(verdict.message, /component "k3s" installs a Kubernetes, and this one stays/);
  assert.equal(await generation(), before);
}
