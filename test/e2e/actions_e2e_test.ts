import assert from "node:assert/strict";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { loadPackage } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, TestAgent } from "./support/agent.ts";
import { zarf, zarfCreate } from "./support/zarf.ts";
import { customKind } from "./support/custom_kind.ts";

/** Who deploys a package; each has namespace and package of its own. */
type Who = "zarf" | "holdfast";

interface Scene {
  readonly cluster: Cluster;
  readonly kube: KubeClient;
  readonly agent: TestAgent;
  readonly directory: string;
}

/** A command that sets a variable. */
const sets = (name: string, cmd: string, more: Record<string, unknown> = {}) => ({
  cmd,
  setVariables: [{ name, ...more }],
});

const configMap = (name: string, data: Record<string, string>) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n` +
  Object.entries(data).map(([key, value]) => `  ${key}: |\n    ${value}\n`).join("");

/** Every kind of action and wait, with what comes of them in ConfigMaps. */
function acting(who: Who, apiServer: string) {
  const namespace = `acts-${who}`;
  const kubectl = (args: string) => `./zarf tools kubectl -n ${namespace} ${args}`;
  const wait = (name: string, condition = "") => ({
    wait: { cluster: { kind: "cm", name, namespace, condition } },
  });
  return {
    definition: {
      kind: "ZarfPackageConfig",
      metadata: { name: namespace, version: "1.0.0" },
      variables: [{ name: "DOG", default: "ruff" }, { name: "SHOWN", default: "shown" }],
      constants: [{ name: "WORD", value: "constant" }],
      components: [
        {
          name: "set",
          required: true,
          files: [{ source: "f.txt", target: "placed/f.txt" }],
          manifests: [{ name: "set", namespace, files: ["set.yaml"] }],
          actions: {
            onDeploy: {
              defaults: { env: ["FROM=defaults", "BOTH=defaults"] },
              before: [
                sets("CAT", "echo; echo '  meow  '"),
                sets("LINES", "printf 'one\\ntwo\\n'", { autoIndent: true }),
                { ...sets("SECRET", "echo hunter2", { sensitive: true }), mute: true },
                {
                  ...sets("ENV", 'echo "$FROM $BOTH $TF_VAR_dog $ZARF_CONST_WORD"'),
                  env: ["BOTH=own"],
                },
                {
                  ...sets(
                    "TRIES",
                    "echo x >> tries; cat tries | wc -l; [ $(wc -l < tries) -eq 3 ]",
                  ),
                  maxRetries: 3,
                },
              ],
              after: [
                { ...wait("set"), maxTotalSeconds: 30 },
                { ...wait("set", "'{.data.shown}'=${ZARF_VAR_SHOWN}"), maxTotalSeconds: 30 },
                { ...wait("never", "delete"), maxTotalSeconds: 30 },
                { wait: { cluster: { kind: "namespaces", name: namespace } }, maxTotalSeconds: 30 },
                { wait: { network: { protocol: "tcp", address: apiServer } }, maxTotalSeconds: 30 },
                sets("READ", kubectl("get configmap set -o 'jsonpath={.data.cat}'")),
                sets("FILE", "cat f.txt", { pattern: "^filled" }),
              ].map((action) =>
                "cmd" in action && action.cmd === "cat f.txt"
                  ? { ...action, dir: "placed" }
                  : action
              ),
            },
          },
        },
        {
          name: "use",
          required: true,
          manifests: [{ name: "use", namespace, files: ["use.yaml"] }],
          actions: {
            onDeploy: {
              before: [{
                cmd: "./zarf tools wait-for cm set exists -n " + namespace + " --timeout 20s",
              }],
              onSuccess: [{
                cmd: kubectl("create configmap success --from-literal=v=$ZARF_VAR_READ"),
              }],
            },
          },
        },
      ],
    },
    files: {
      "f.txt": "filled ###ZARF_VAR_CAT###\n",
      "set.yaml": configMap("set", { cat: "###ZARF_VAR_CAT###", lines: "###ZARF_VAR_LINES###" }) +
        '  shown: "###ZARF_VAR_SHOWN###"\n',
      "use.yaml": configMap("use", {
        read: "###ZARF_VAR_READ###",
        file: "###ZARF_VAR_FILE###",
        env: "###ZARF_VAR_ENV###",
        tries: "###ZARF_VAR_TRIES###",
        secret: "###ZARF_VAR_SECRET###",
      }),
    },
  };
}

/** A component that is there, one whose action takes too long, and one that is never come to. */
function failing(who: Who) {
  const namespace = `fails-${who}`;
  const leave = (name: string) => ({
    cmd: `./zarf tools kubectl -n ${namespace} create configmap ${name}`,
  });
  return {
    definition: {
      kind: "ZarfPackageConfig",
      metadata: { name: namespace, version: "1.0.0" },
      components: [
        {
          name: "good",
          required: true,
          manifests: [{ name: "good", namespace, files: ["good.yaml"] }],
        },
        {
          name: "slow",
          required: true,
          actions: {
            onDeploy: {
              before: [{ cmd: "sleep 30", maxTotalSeconds: 1 }],
              after: [leave("after")],
              onSuccess: [leave("success")],
              onFailure: [leave("failure"), { cmd: "false" }, leave("never")],
            },
          },
        },
        { name: "last", required: true, actions: { onDeploy: { before: [leave("last")] } } },
      ],
    },
    files: { "good.yaml": configMap("good", { is: "there" }) },
  };
}

/** Components that each may be done only once. */
function once() {
  const namespace = "once-holdfast";
  const create = (name: string) => ({
    cmd:
      `./zarf tools kubectl -n ${namespace} create configmap ${name} --from-literal=v=$ZARF_VAR_V`,
  });
  return {
    definition: {
      kind: "ZarfPackageConfig",
      metadata: { name: namespace, version: "1.0.0" },
      components: [
        {
          name: "one",
          required: true,
          manifests: [{ name: "one", namespace, files: ["one.yaml"] }],
          actions: {
            onDeploy: { before: [sets("V", "date +%s%N")], after: [create("after-one")] },
          },
        },
        {
          name: "two",
          required: true,
          actions: { onDeploy: { before: [create("before-two")], onSuccess: [create("success")] } },
        },
      ],
    },
    files: { "one.yaml": configMap("one", { v: "###ZARF_VAR_V###" }) },
  };
}

type Source = { readonly definition: unknown; readonly files: Readonly<Record<string, string>> };

/** The package file that the real zarf makes. */
async function create(scene: Scene, name: string, { definition, files }: Source): Promise<string> {
  const source = `${scene.directory}/${name}/source`;
  await Deno.mkdir(source, { recursive: true });
  await Deno.writeTextFile(`${source}/zarf.yaml`, JSON.stringify(definition));
  for (const [file, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${source}/${file}`, text);
  }
  const flags = ["--skip-sbom", "--architecture=amd64"];
  return await zarfCreate(source, `${scene.directory}/${name}`, flags);
}

/** Deploys a package file with the real zarf, in a directory of its own. */
async function deployWithZarf(scene: Scene, name: string, file: string) {
  const cwd = `${scene.directory}/${name}/cwd`;
  await Deno.mkdir(cwd, { recursive: true });
  const env = { KUBECONFIG: scene.cluster.kubeconfig(), HOME: cwd };
  return await zarf(["package", "deploy", file, "--confirm", `--zarf-cache=${cwd}`], cwd, env);
}

/** What the ConfigMaps of a namespace hold, the cluster's own left out. */
async function texts(scene: Scene, namespace: string): Promise<Record<string, unknown>> {
  const list = await scene.kube.list({ apiVersion: "v1", kind: "ConfigMap", namespace });
  return Object.fromEntries(
    list.items.filter(({ metadata }) => metadata.name !== "kube-root-ca.crt")
      .map((one: KubeObject) => [one.metadata.name, one["data"]]),
  );
}

/** Statuses of the components and of their releases, in the order of the record. */
async function statuses(scene: Scene, name: string): Promise<string[]> {
  const found = await loadPackage(scene.kube, name);
  return (found?.deployedComponents ?? []).map(({ name, status, installedCharts }) =>
    `${name} ${status}: ${(installedCharts ?? []).map((chart) => chart.status).join()}`
  );
}

Deno.test({
  name: "actions, waits and files do what they do with the real zarf",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "acts" });
    const directory = await Deno.makeTempDir({ prefix: "holdfast-actions-" });
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    try {
      const [node] = cluster.nodes;
      assert.ok(node);
      const agent = new TestAgent(node);
      await steps(t, { cluster, kube, agent, directory });
    } finally {
      kube.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function steps(t: Deno.TestContext, scene: Scene): Promise<void> {
  const { agent, kube } = scene;
  const apiServer = `${agent.node.ip}:6443`;

  await t.step(
    "killed between two components, and in an action, it goes on where it was",
    async () => {
      await agent.start({ env: { HOLDFAST_FAILPOINT: "deploy.component.done" } });
      const file = await agent.drop(await create(scene, "once", once()));
      assert.equal((await agent.process.status).signal, 9, await agent.logTail());
      await agent.start({ env: { HOLDFAST_FAILPOINT: "deploy.action.done" } });
      assert.equal((await agent.process.status).signal, 9, await agent.logTail());
      await agent.start();
      const verdict = await agent.settled(file);
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
      const found = await texts(scene, "once-holdfast");
      const values = new Set(Object.values(found).map((data) => (data as { v: string }).v.trim()));
      assert.deepEqual(Object.keys(found).sort(), ["after-one", "before-two", "one", "success"]);
      assert.equal(values.size, 1, "what the first component has set is known all the way");
      assert.match([...values].join(), /^\d{19}$/);
      assert.equal((await loadPackage(kube, "once-holdfast"))?.generation, 1);
    },
  );

  await t.step("every kind of action and wait comes to the same", async () => {
    const byZarf = await deployWithZarf(
      scene,
      "acts-zarf",
      await create(scene, "acts-zarf", acting("zarf", apiServer)),
    );
    assert.ok(byZarf.ok, byZarf.text);
    const file = await agent.drop(
      await create(scene, "acts-holdfast", acting("holdfast", apiServer)),
    );
    const verdict = await agent.settled(file);
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
    const expected = await texts(scene, "acts-zarf");
    assert.deepEqual(Object.keys(expected).sort(), ["set", "success", "use"]);
    assert.deepEqual(await texts(scene, "acts-holdfast"), expected);
    assert.deepEqual(await statuses(scene, "acts-holdfast"), await statuses(scene, "acts-zarf"));
    const log = await agent.logTail(10_000);
    assert.match(log, /placed|meow/);
    assert.doesNotMatch(log, /hunter2/);
  });

  await t.step("a failure comes to the same, and is named", async () => {
    const byZarf = await deployWithZarf(
      scene,
      "fails-zarf",
      await create(scene, "fails-zarf", failing("zarf")),
    );
    assert.ok(!byZarf.ok, byZarf.text);
    const file = await agent.drop(await create(scene, "fails-holdfast", failing("holdfast")));
    const verdict = await agent.settled(file);
    assert.equal(verdict.phase, "Failed");
    assert.equal(verdict.reason, "ActionFailed");
    assert.match(
      verdict.message,
      /^component "slow": action onDeploy\.before\[0\] "sleep 30": timed out after 1 s/,
    );
    const expected = await texts(scene, "fails-zarf");
    assert.deepEqual(Object.keys(expected).sort(), ["failure", "good"]);
    assert.deepEqual(await texts(scene, "fails-holdfast"), expected);
    assert.deepEqual(await statuses(scene, "fails-holdfast"), await statuses(scene, "fails-zarf"));
  });

  await t.step("a wait for what comes later ends when it is there", async () => {
    const namespace = "late";
    await kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    const group = "waits.example";
    const wait = { cluster: { kind: "gizmo", name: "app=x", namespace, condition: "Ready" } };
    const file = await agent.drop(
      await create(scene, "late", {
        definition: {
          kind: "ZarfPackageConfig",
          metadata: { name: "late", version: "1.0.0" },
          components: [{
            name: "wait",
            required: true,
            actions: { onDeploy: { before: [{ wait, maxTotalSeconds: 60 }] } },
          }],
        },
        files: {},
      }),
    );
    const says = (text: string) =>
      eventually(text, async () => {
        const verdict = await agent.verdict(file);
        return verdict?.message.includes(text) ? true : undefined;
      });
    await says("the cluster has no kind gizmo");
    await kube.create(customKind(group, "gizmos", "Gizmo"));
    await says("Gizmo app=x in namespace late is not there yet");
    const gizmo = {
      apiVersion: `${group}/v1`,
      kind: "Gizmo",
      metadata: { name: "g", namespace, labels: { app: "x" } },
    };
    await eventually("the new kind", () => kube.create(gizmo).catch(() => undefined));
    await says("its condition Ready is not true");
    await kube.patch({ ...gizmo, name: "g", namespace }, {
      type: "merge",
      body: { status: { conditions: [{ type: "Ready", status: "True" }] } },
    });
    assert.equal((await agent.settled(file)).phase, "Ready");
  });

  await t.step("what policy forbids is refused before anything is applied", async () => {
    await agent.stop();
    await agent.start({ flags: ["--actions=never"] });
    const refused = {
      ...failing("holdfast"),
      definition: {
        ...failing("holdfast").definition,
        metadata: { name: "refused", version: "1" },
      },
    };
    const file = await agent.drop(await create(scene, "refused", refused));
    const verdict = await agent.settled(file);
    assert.deepEqual([verdict.phase, verdict.reason], ["Failed", "ActionsRefused"]);
    assert.match(verdict.message, /component "slow": action onDeploy\.before\[0\] "sleep 30"/);
    assert.equal(await loadPackage(kube, "refused"), undefined);
  });
}
