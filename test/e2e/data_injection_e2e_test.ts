import assert from "node:assert/strict";
import { INJECTION_FAILPOINTS } from "../../src/deploy/mod.ts";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { exec } from "../../src/std/mod.ts";
import { loadPackage } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { ROOT, TestAgent } from "./support/agent.ts";
import { BUSYBOX, BUSYBOX_WITHOUT_TAR, writeBusyboxImages } from "./support/busybox_image.ts";
import { zarf, zarfCreate } from "./support/zarf.ts";

interface Scene {
  readonly cluster: Cluster;
  readonly kube: KubeClient;
  readonly agent: TestAgent;
  readonly directory: string;
}

/** What a test package injects, and into what. */
interface Injected {
  readonly name: string;
  readonly version?: string;
  readonly replicas?: number;
  readonly kind?: "Deployment" | "StatefulSet";
  readonly image?: string;
  /** Of the pods that are looked for. */
  readonly selector?: string;
  /** As a chart, which is not waited for, or as a manifest, which is. */
  readonly chart?: boolean;
}

/** Two init containers wait for two directories, one of them sent compressed; then a pod sleeps. */
function workload({ name, replicas = 1, kind = "Deployment", image = BUSYBOX }: Injected) {
  const waitFor = (path: string) => [
    "-c",
    `until [ -e '${path}/###ZARF_DATA_INJECTION_MARKER###' ]; do sleep 1; done`,
  ];
  const volumeMounts = [{ name: "data", mountPath: "/data" }];
  const common = { imagePullPolicy: "Never", volumeMounts };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace: name },
    spec: {
      replicas,
      ...(kind === "StatefulSet" ? { serviceName: name } : {}),
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, "zarf.dev/agent": "ignore" } },
        spec: {
          terminationGracePeriodSeconds: 0,
          volumes: [{ name: "data", emptyDir: {} }],
          initContainers: [
            { name: "first", image, args: waitFor("/data/one"), ...common },
            { name: "second", image, args: waitFor("/data/two"), ...common },
          ],
          containers: [{
            name: "main",
            image: BUSYBOX,
            args: ["-c", "trap 'exit 0' TERM; while true; do sleep 1; done"],
            ...common,
          }],
        },
      },
    },
  };
}

/** A package file of the real zarf. */
async function create(scene: Scene, injected: Injected): Promise<string> {
  const { name, version = "1.0.0", selector = `app=${name}`, chart = true } = injected;
  const directory = `${scene.directory}/${name}-${version}`;
  const source = `${directory}/source`;
  await Deno.mkdir(`${source}/one/below/${"deep".repeat(30)}`, { recursive: true });
  await Deno.mkdir(`${source}/two/empty`, { recursive: true });
  await Deno.mkdir(`${source}/chart/templates`, { recursive: true });
  const write = (path: string, text: string, mode = 0o644) =>
    Deno.writeTextFile(`${source}/${path}`, text, { mode });
  await write("one/version", version);
  await write("one/secret", "key", 0o600);
  await write("one/run.sh", "#!/bin/sh\n", 0o755);
  await write(`one/below/${"deep".repeat(30)}/file`, "content\n");
  await Deno.symlink("../version", `${source}/one/below/link`);
  await Deno.writeFile(`${source}/two/large`, new Uint8Array(5_000_000).fill(7));
  const text = JSON.stringify(workload(injected));
  await write("workload.yaml", text);
  await write("chart/Chart.yaml", `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`);
  await write("chart/templates/workload.yaml", text);
  const target = { namespace: name, selector };
  const definition = {
    kind: "ZarfPackageConfig",
    metadata: { name, version },
    components: [{
      name: "web",
      required: true,
      dataInjections: [
        { source: "one", target: { ...target, container: "first", path: "/data/one" } },
        {
          source: "two",
          target: { ...target, container: "second", path: "/data/two" },
          compress: true,
        },
      ],
      ...(chart
        ? { charts: [{ name, version: "1.0.0", namespace: name, localPath: "chart" }] }
        : { manifests: [{ name, namespace: name, files: ["workload.yaml"] }] }),
    }],
  };
  await write("zarf.yaml", JSON.stringify(definition));
  return await zarfCreate(source, directory, ["--skip-sbom", "--architecture=amd64"]);
}

/** What lies in the data of a pod: type, rights, size, content. */
async function dataIn(scene: Scene, namespace: string, pod: string): Promise<string> {
  const script = "cd /data; find . ! -name '.zarf-injection-*' | sort | while read -r f; do " +
    'stat -c "%A %u %n" "$f"; done; find . -type f ! -name ".zarf-injection-*" | sort | ' +
    'while read -r f; do sha256sum "$f"; done; readlink "./one/below/link"';
  const { code, stdout, stderr } = await exec(`${ROOT}/dist/tools/kubectl`, {
    args: ["exec", "-n", namespace, pod, "-c", "main", "--", "sh", "-c", script],
    env: { KUBECONFIG: scene.cluster.kubeconfig(), HOME: scene.directory },
    timeout: 120_000,
  });
  assert.equal(code, 0, stderr);
  return stdout;
}

async function pods(scene: Scene, namespace: string): Promise<KubeObject[]> {
  const { items } = await scene.kube.list({ apiVersion: "v1", kind: "Pod", namespace });
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** The name of the marker that a pod waited for. */
function markerOf(pod: KubeObject): string {
  const [marker] = /\.zarf-injection-\d+/.exec(JSON.stringify(pod["spec"])) ?? [];
  return marker ?? assert.fail("the pod names no marker");
}

async function dropped(scene: Scene, injected: Injected) {
  const path = await scene.agent.drop(await create(scene, injected));
  return await scene.agent.settled(path, { timeout: 180_000 });
}

Deno.test({
  name: "data comes into pods as with the real zarf, and into those that Zarf forgets",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "inject" });
    const directory = await Deno.makeTempDir({ prefix: "holdfast-inject-" });
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    try {
      const [node] = cluster.nodes;
      assert.ok(node);
      await writeBusyboxImages(`${directory}/busybox.tar`);
      await node.importImages(`${directory}/busybox.tar`);
      await steps(t, { cluster, kube, agent: new TestAgent(node), directory });
    } finally {
      kube.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function steps(t: Deno.TestContext, scene: Scene): Promise<void> {
  const { agent } = scene;
  await t.step("killed at each place it goes on and comes to its end", () => killed(scene));
  await t.step("a pod has what the real zarf leaves in it", () => sameAsZarf(scene));
  await t.step(
    "a package that is deployed anew makes its pods anew, all of them",
    () => rolled(scene),
  );
  await t.step("pods that come one after the other all get their data", () => ordered(scene));
  await t.step("a container without tar is named", async () => {
    const verdict = await dropped(scene, { name: "bare", image: BUSYBOX_WITHOUT_TAR });
    assert.deepEqual([verdict.phase, verdict.reason], ["Failed", "InjectionFailed"]);
    assert.match(
      verdict.message,
      /^component "web": .*container first of pod bare-\S+ in namespace bare: there is no tar in it/,
    );
  });
  await t.step("pods that never come are given up", async () => {
    const file = await create(scene, { name: "nobody", selector: "app=nobody-else" });
    const name = file.slice(file.lastIndexOf("/") + 1);
    await Deno.writeTextFile(
      agent.hostPath(`/var/drop/${name}.config.yaml`),
      "package: {deploy: {timeout: 5s}}\n",
    );
    const verdict = await agent.settled(await agent.drop(file), { timeout: 180_000 });
    assert.deepEqual([verdict.phase, verdict.reason], ["Failed", "TimedOut"]);
    assert.match(
      verdict.message,
      /container (first|second) of app=nobody-else in namespace nobody: not done within 5 s: no pod/,
    );
  });
}

async function killed(scene: Scene): Promise<void> {
  const { agent, kube } = scene;
  const [first, ...others] = INJECTION_FAILPOINTS;
  await agent.start({ env: { HOLDFAST_FAILPOINT: first } });
  const path = await agent.drop(await create(scene, { name: "killed", chart: false }));
  assert.equal((await agent.process.status).signal, 9, await agent.logTail());
  const before = new Set((await pods(scene, "killed")).map(markerOf));
  for (const name of others) {
    await agent.start({ env: { HOLDFAST_FAILPOINT: name } });
    assert.equal((await agent.process.status).signal, 9, `${name}\n${await agent.logTail()}`);
  }
  await agent.start();
  const verdict = await agent.settled(path);
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
  assert.equal((await loadPackage(kube, "killed"))?.generation, 1);
  const [pod, ...more] = await pods(scene, "killed");
  assert.ok(pod !== undefined && more.length === 0, "the pod is still the first one");
  assert.deepEqual(new Set([markerOf(pod)]), before);
  assert.match(await dataIn(scene, "killed", pod.metadata.name ?? ""), /one\/version/);
}

async function sameAsZarf(scene: Scene): Promise<void> {
  const file = await create(scene, { name: "by-zarf" });
  const env = { KUBECONFIG: scene.cluster.kubeconfig(), HOME: scene.directory };
  const cache = `--zarf-cache=${scene.directory}/cache`;
  const done = await zarf(["package", "deploy", file, "--confirm", cache], scene.directory, env);
  assert.ok(done.ok, done.text);
  const verdict = await dropped(scene, { name: "by-holdfast", replicas: 2 });
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await scene.agent.logTail(30)}`);
  const [expected] = await pods(scene, "by-zarf");
  const text = await dataIn(scene, "by-zarf", expected?.metadata.name ?? "");
  assert.match(text, /^-rw------- 0 \.\/one\/secret$/m);
  const found = await pods(scene, "by-holdfast");
  assert.equal(found.length, 2);
  for (const { metadata } of found) {
    assert.equal(await dataIn(scene, "by-holdfast", metadata.name ?? ""), text);
  }
  for (const name of ["by-zarf", "by-holdfast"]) {
    const record = await loadPackage(scene.kube, name);
    const [component] = record?.deployedComponents ?? [];
    assert.deepEqual(
      [component?.status, component?.installedCharts?.map((chart) => chart.status)],
      ["Succeeded", ["Succeeded"]],
      name,
    );
  }
}

async function rolled(scene: Scene): Promise<void> {
  const before = (await pods(scene, "by-holdfast")).map(markerOf);
  const verdict = await dropped(scene, { name: "by-holdfast", replicas: 2, version: "2.0.0" });
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await scene.agent.logTail(30)}`);
  const found = (await pods(scene, "by-holdfast")).filter((pod) => !before.includes(markerOf(pod)));
  assert.equal(found.length, 2);
  for (const { metadata } of found) {
    const text = await dataIn(scene, "by-holdfast", metadata.name ?? "");
    // sha256 of "2.0.0"
    assert.match(text, /^[0-9a-f]{64} {2}\.\/one\/version$/m);
    const [sum] = /^[0-9a-f]{64}(?= {2}\.\/one\/version$)/m.exec(text) ?? [];
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("2.0.0"));
    assert.equal(sum, new Uint8Array(digest).toHex());
  }
}

async function ordered(scene: Scene): Promise<void> {
  const verdict = await dropped(scene, { name: "ordered", kind: "StatefulSet", replicas: 3 });
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await scene.agent.logTail(30)}`);
  const found = await pods(scene, "ordered");
  const texts = await Promise.all(
    found.map(({ metadata }) => dataIn(scene, "ordered", metadata.name ?? "")),
  );
  assert.equal(texts.length, 3);
  assert.equal(new Set(texts).size, 1);
}
