// Runs alone: a label has to be written within a second.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  AdmissionError,
  ensureAdmissionTls,
  ensureWebhook,
  type EnsureWebhookOptions,
  issueCertificates,
  loadAdmissionTls,
  type MutationPolicy,
  putWebhooks,
  removeWebhooks,
  TLS_SECRET,
  webhookConfiguration,
} from "../../src/admission/mod.ts";
import { KubeClient, KubeError, type KubeObject } from "../../src/kube/mod.ts";
import { type Clock, systemClock } from "../../src/std/mod.ts";
import { Cluster, type ClusterNode, type NodeProcess, obstacle } from "../cluster/mod.ts";
import { despitePauses } from "../fakes/testing.ts";

const PORT = 7471;
const REGISTRY_ADDRESS = "127.0.0.1:31999";
const NGINX = `${REGISTRY_ADDRESS}/library/nginx:1.27-zarf-3793515731`;
const BUSYBOX = `${REGISTRY_ADDRESS}/library/busybox:latest-zarf-2140033595`;
const SECRET = { apiVersion: "v1", kind: "Secret", namespace: "zarf", name: TLS_SECRET };
const CONFIGURATION = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  name: "holdfast",
};

interface Pod extends KubeObject {
  spec: {
    containers: { name: string; image: string }[];
    ephemeralContainers?: { name: string; image: string }[];
    imagePullSecrets?: { name: string }[];
    [field: string]: unknown;
  };
}

function pod(namespace: string, metadata: KubeObject["metadata"] = {}, image = "nginx:1.27"): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "trial-", namespace, ...metadata },
    // Nobody runs it: what is tested is what the API server stores.
    spec: { containers: [{ name: "web", image }], nodeSelector: { no: "node" } },
  };
}

/** A clock that runs ten times as fast, for proofs that fail only when their time is up. */
const hurried: Clock = {
  now: () => new Date(),
  monotonic: () => systemClock.monotonic() * 10,
  sleep: (ms, signal) => systemClock.sleep(ms / 10, signal),
};

/** What the API server would store. */
async function admitted(kube: KubeClient, wanted: Pod): Promise<Pod["spec"]> {
  return (await kube.create(wanted, { dryRun: true })).spec;
}

interface Configuration extends KubeObject {
  webhooks: { name: string; failurePolicy: string; timeoutSeconds: number }[];
}

async function webhooks(kube: KubeClient): Promise<Configuration["webhooks"]> {
  return (await kube.get<Configuration>(CONFIGURATION))?.webhooks ?? [];
}

/** Waits until the API server acts on a configuration that was changed a moment ago. */
async function eventually(what: string, look: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !await look(); attempt++) {
    assert.ok(attempt < 600, `it never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function startWebhook(cluster: Cluster, node: ClusterNode): Promise<NodeProcess> {
  const script = fileURLToPath(new URL("support/admission_main.ts", import.meta.url));
  const process = await node.spawn(
    Deno.execPath(),
    ["run", "-A", "--no-lock", script, cluster.kubeconfig(node), String(PORT)],
    { env: { DENO_NO_UPDATE_CHECK: "1", DENO_DIR: denoDir() } },
  );
  const probe = ["-c", `exec 3<>/dev/tcp/127.0.0.1/${PORT}`];
  for (let attempt = 0; (await node.exec("bash", probe)).code !== 0; attempt++) {
    assert.ok(attempt < 300, await Deno.readTextFile(process.logPath));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return process;
}

function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

/** How many writes `action` makes. */
async function writesOf(kube: KubeClient, action: () => Promise<unknown>): Promise<number> {
  const before = kube.writes;
  await action();
  return kube.writes - before;
}

async function makeNamespace(cluster: Cluster, kube: KubeClient, name: string, agent?: string) {
  await cluster.kubectl(["create", "namespace", name]);
  if (agent !== undefined) {
    await cluster.kubectl(["label", "namespace", name, `zarf.dev/agent=${agent}`]);
  }
  const account = { apiVersion: "v1", kind: "ServiceAccount", namespace: name, name: "default" };
  while (await kube.get(account) === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** With the policy `labeled` an update that takes the label away is no longer asked about. */
async function assertLetGo(kube: KubeClient, namespace: string): Promise<void> {
  const ref = { apiVersion: "v1", kind: "Pod", namespace, name: "once-labelled" };
  const labels = { "zarf.dev/agent": "mutate" };
  const made = await kube.create(pod(namespace, { name: ref.name, labels }));
  assert.equal(made.spec.containers[0]?.image, NGINX);
  const containers = [{ name: "web", image: "busybox" }];
  const body = { metadata: { labels: { "zarf.dev/agent": null } }, spec: { containers } };
  const { spec } = await kube.patch<Pod>(ref, { type: "strategic", body });
  assert.equal(spec.containers[0]?.image, "busybox");
}

const reason = obstacle();
if (reason !== undefined) {
  Deno.stderr.writeSync(new TextEncoder().encode(`admission_e2e_test.ts is skipped: ${reason}\n`));
}

Deno.test({
  name:
    "the API server asks the webhook about what is to be changed, and never waits for it in vain",
  ignore: reason !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: `admission-${Deno.pid.toString(36)}` });
    const [node] = cluster.nodes;
    assert.ok(node);
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    await makeNamespace(cluster, kube, "zarf", "mutate");
    await makeNamespace(cluster, kube, "ignored", "ignore");
    await makeNamespace(cluster, kube, "labelled", "mutate");
    await makeNamespace(cluster, kube, "silent");
    const optionsWith = (
      caBundle: string,
      policy: MutationPolicy = "all",
    ): EnsureWebhookOptions => ({
      address: `127.0.0.1:${PORT}`,
      caBundle,
      policy,
      registryAddresses: [REGISTRY_ADDRESS],
    });
    /** How many requests the webhook has answered. */
    const asked = async () => {
      const log = await Deno.readTextFile(webhook?.logPath ?? "");
      return log.split("\n").filter((line) => line.includes("path=/mutate/pod")).length;
    };
    let ca = "";
    let webhook: NodeProcess | undefined;

    await t.step("several agents that make the certificates at once get the same", async () => {
      assert.equal(await loadAdmissionTls(kube), undefined);
      const all = await Promise.all(Array.from({ length: 4 }, () => ensureAdmissionTls(kube)));
      const [first] = all;
      assert.ok(first);
      for (const each of all) assert.deepEqual(each, first);
      assert.deepEqual(await loadAdmissionTls(kube), first);
      assert.equal(await writesOf(kube, () => ensureAdmissionTls(kube)), 0);
      const secret = await kube.get<KubeObject & { type: string; data: object }>(SECRET);
      assert.equal(secret?.type, "Opaque");
      assert.equal(secret?.metadata.labels?.["app.kubernetes.io/managed-by"], "zarf");
      assert.deepEqual(Object.keys(secret.data), ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
      ca = first.ca;
    });

    await t.step("a Secret that somebody spoilt is reported, and mended", async () => {
      const { data } = await kube.get<KubeObject & { data: Record<string, string> }>(SECRET) ?? {};
      const spoil = (key: unknown, more: object = {}) =>
        kube.patch(SECRET, { type: "merge", body: { data: { "tls.key": key }, ...more } });
      const cases: [unknown, object, number][] = [
        [null, {}, 1],
        [btoa("no key"), {}, 1],
        [data?.["ca.key"], {}, 1],
        // It cannot be changed then: after the attempt it is taken away and made.
        [null, { immutable: true }, 3],
      ];
      for (const [key, more, expected] of cases) {
        await spoil(key, more);
        await assert.rejects(
          loadAdmissionTls(kube),
          (error) =>
            error instanceof AdmissionError && error.reason === "TlsInvalid" &&
            error.message.includes("data.tls.key") && error.disposition === "wait",
        );
        assert.equal(await writesOf(kube, () => ensureAdmissionTls(kube)), expected);
        assert.equal((await loadAdmissionTls(kube))?.ca, ca);
      }
    });

    await t.step("while no agent answers, pods are stored as they are", async () => {
      const options = { ...optionsWith(ca), clock: hurried };
      const state = await ensureWebhook(kube, options);
      assert.ok(!state.proven);
      assert.match(state.why, /came back unchanged/);
      const all = await webhooks(kube);
      assert.equal(all.length, 8);
      assert.deepEqual(new Set(all.map((one) => one.failurePolicy)), new Set(["Ignore"]));
      const { containers, imagePullSecrets } = await admitted(kube, pod("default"));
      assert.equal(containers[0]?.image, "nginx:1.27");
      assert.equal(imagePullSecrets, undefined);
      const writes = await writesOf(kube, () => ensureWebhook(kube, options));
      assert.equal(writes, 0);
    });

    await t.step("an agent whose certificate is another CA's is no proof", async () => {
      webhook = await startWebhook(cluster, node);
      const options = { ...optionsWith(issueCertificates().ca), clock: hurried };
      const state = await ensureWebhook(kube, options);
      assert.ok(!state.proven);
    });

    await t.step(
      "an agent that answers is proven, and asked about again without a write",
      async () => {
        const proven = { proven: true, by: "Holdfast" };
        assert.deepEqual(await ensureWebhook(kube, optionsWith(ca)), proven);
        const writes = await writesOf(kube, async () => {
          assert.deepEqual(await ensureWebhook(kube, optionsWith(ca)), proven);
        });
        assert.equal(writes, 0);
      },
    );

    await t.step("new pods come from the registry", async () => {
      const { containers, imagePullSecrets } = await admitted(kube, pod("default"));
      assert.equal(containers[0]?.image, NGINX);
      assert.deepEqual(imagePullSecrets, [{ name: "private-registry" }]);
      const labelled = pod("default", { labels: { "zarf-agent": "patched" } });
      assert.equal((await admitted(kube, labelled)).containers[0]?.image, NGINX);
    });

    await t.step("kube-system and what opts out stay as they are", async () => {
      const cases = [
        pod("kube-system"),
        pod("ignored"),
        pod("default", { labels: { "zarf.dev/agent": "ignore" } }),
        pod("default", { labels: { "zarf.dev/agent": "skip" } }),
      ];
      for (const each of cases) {
        const { containers, imagePullSecrets } = await admitted(kube, each);
        assert.equal(containers[0]?.image, "nginx:1.27");
        assert.equal(imagePullSecrets, undefined);
      }
    });

    await t.step("the selectors choose by labels what the policy says", async () => {
      const namespaces = ["silent", "labelled", "ignored", "kube-system"];
      const objects = [undefined, "mutate", "ignore", "skip", "other"];
      const chosen: Readonly<Record<MutationPolicy, readonly string[]>> = {
        all: [
          ...["silent undefined", "silent mutate", "silent other"],
          ...["labelled undefined", "labelled mutate", "labelled other"],
        ],
        labeled: [
          ...["silent mutate", "ignored mutate"],
          ...["labelled undefined", "labelled mutate", "labelled other"],
        ],
      };
      for (const policy of ["labeled", "all"] as const) {
        await putWebhooks(kube, webhookConfiguration(optionsWith(ca, policy)));
        await eventually(`the policy ${policy}`, async () => {
          const { containers } = await admitted(kube, pod("silent"));
          return (containers[0]?.image === NGINX) === (policy === "all");
        });
        for (const namespace of namespaces) {
          for (const object of objects) {
            const labels = object === undefined ? {} : { "zarf.dev/agent": object };
            const { containers } = await admitted(kube, pod(namespace, { labels }));
            const isChosen = chosen[policy].includes(`${namespace} ${object}`);
            const wanted = isChosen ? NGINX : "nginx:1.27";
            assert.equal(containers[0]?.image, wanted, `${policy}: ${namespace} ${object}`);
          }
        }
        if (policy === "labeled") await assertLetGo(kube, "silent");
      }
    });

    await t.step("an image that is no reference is refused with its container", async () => {
      await assert.rejects(
        admitted(kube, pod("default", {}, "not an image")),
        (error) =>
          error instanceof KubeError && error.reason === "Invalid" &&
          error.message.includes('container "web": "not an image" is not an image reference'),
      );
    });

    await t.step("an update changes the image that it brings, and nothing else", async () => {
      const ref = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "kept" };
      const made = pod("default", { name: "kept", labels: { "zarf.dev/agent": "ignore" } });
      await kube.create(made);
      const labels = { "zarf.dev/agent": null, owner: "somebody" };
      const labelled = await kube.patch<Pod>(ref, {
        type: "merge",
        body: { metadata: { labels } },
      });
      assert.equal(labelled.spec.containers[0]?.image, "nginx:1.27");
      assert.equal(labelled.spec.imagePullSecrets, undefined);
      const body = { spec: { containers: [{ name: "web", image: "busybox" }] } };
      const changed = await kube.patch<Pod>(ref, { type: "strategic", body });
      assert.equal(changed.spec.containers[0]?.image, BUSYBOX);
      assert.equal(changed.metadata.annotations?.["zarf.dev/original-image-web"], "busybox");
      assert.equal(changed.spec.imagePullSecrets, undefined);
      const debug = { spec: { ephemeralContainers: [{ name: "debug", image: "busybox" }] } };
      const subresource = { subresource: "ephemeralcontainers" };
      const debugged = await kube.patch<Pod>(ref, { type: "strategic", body: debug }, subresource);
      assert.equal(debugged.spec.ephemeralContainers?.[0]?.image, BUSYBOX);
    });

    await t.step(
      "about mirror pods, and updates that bring no image, it is not asked",
      async () => {
        const ref = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "asked" };
        const before = await asked();
        await kube.create(pod("default", { name: "asked" }));
        await eventually("one request", async () => await asked() === before + 1);
        const body = { metadata: { labels: { a: "b" }, annotations: { c: "d" } } };
        await kube.patch(ref, { type: "merge", body });
        await kube.patch(ref, {
          type: "merge",
          body: { metadata: { finalizers: ["a.example/b"] } },
        });
        await kube.patch(ref, { type: "merge", body: { metadata: { finalizers: null } } });
        const annotations = { "kubernetes.io/config.mirror": "0123456789abcdef" };
        const mirror = pod("default", { annotations });
        mirror.spec.nodeName = node.name;
        assert.equal((await admitted(kube, mirror)).containers[0]?.image, "nginx:1.27");
        // Requests are logged in their order: this is the next one.
        await admitted(kube, pod("default", { annotations: { "kubernetes.io/other": "x" } }));
        await eventually("two requests", async () => await asked() === before + 2);
      },
    );

    await t.step("an agent that hangs costs three seconds at most, and no pod", async () => {
      await webhook?.kill("SIGSTOP");
      await despitePauses(async () => {
        const started = performance.now();
        const { containers } = await admitted(kube, pod("default"));
        const took = performance.now() - started;
        assert.equal(containers[0]?.image, "nginx:1.27");
        assert.ok(took > 2_000 && took < 4_500, `${took} ms`);
      });
      const ref = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "asked" };
      let labels = 0;
      await despitePauses(async () => {
        const labelled = performance.now();
        await kube.patch(ref, {
          type: "merge",
          body: { metadata: { labels: { a: `${labels++}` } } },
        });
        assert.ok(performance.now() - labelled < 1_000, "a label need not wait");
      });
      await webhook?.kill("SIGCONT");
      await eventually(
        "it answers",
        async () => (await admitted(kube, pod("default"))).containers[0]?.image === NGINX,
      );
    });

    await t.step("without the agent pods are stored as they are, at once", async () => {
      await webhook?.kill("SIGKILL");
      await webhook?.status;
      const ignoring = pod("default", { labels: { "zarf.dev/agent": "ignore" } });
      for (const each of [pod("default"), pod("kube-system"), pod("ignored"), ignoring]) {
        await despitePauses(async () => {
          const started = performance.now();
          assert.equal((await admitted(kube, each)).containers[0]?.image, "nginx:1.27");
          assert.ok(performance.now() - started < 2_500);
        });
      }
    });

    await t.step("an agent that comes back is called again", async () => {
      webhook = await startWebhook(cluster, node);
      // The first answer of a new process may be late.
      await eventually(
        "it answers",
        async () => (await admitted(kube, pod("default"))).containers[0]?.image === NGINX,
      );
    });

    await t.step("what somebody changed in the configuration is put right", async () => {
      const { webhooks: wanted } = await kube.get<Configuration>(CONFIGURATION) ?? assert.fail();
      const body = [
        { op: "replace", path: "/webhooks/0/timeoutSeconds", value: 30 },
        { op: "remove", path: "/webhooks/1" },
      ];
      await kube.patch(CONFIGURATION, { type: "json", body });
      assert.equal((await ensureWebhook(kube, optionsWith(ca))).proven, true);
      assert.deepEqual(await webhooks(kube), wanted);
    });

    await t.step("without the configuration pods are stored as they are", async () => {
      assert.equal(await removeWebhooks(kube), true);
      assert.equal(await removeWebhooks(kube), false);
      await eventually(
        "the webhook is not asked",
        async () => (await admitted(kube, pod("default"))).containers[0]?.image === "nginx:1.27",
      );
    });
    kube.close();
  },
});
