import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { type ClusterAccess, KubeClient, KubeError, readKubeconfig } from "../../src/kube/mod.ts";
import { requestPem } from "../../src/rights/mod.ts";
import { issue, keyPem, newKey } from "../fakes/signer.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { daemonCommand } from "../cluster/daemons.ts";
import { TalosApi } from "./support/talos_api.ts";
import { assertHelloAnswers, DATA_DIR, eventually, HELLO, TestAgent } from "./support/agent.ts";

/*
 * A worker's agent that is given nothing but the place of its kubelet's kubeconfig, on a real cluster:
 * what it gets, what it may not do with it, and how it keeps it.
 */

/** As the kubelet of Talos and kubeadm keep it: certificate and key in one file that is replaced. */
const KUBELET_DIR = "/var/kubelet";
const KUBELET = `${KUBELET_DIR}/kubeconfig`;
/** What a controller manager that signs for a short time only is called. */
const SHORT_SIGNER = "short-signer";
/** How long its certificates count. */
const SHORT = "60s";
/** What is said when there is a certificate. */
const COUNTS = /^this node's certificate counts until /;

interface Held {
  readonly cert: string;
  readonly key: string;
}

async function writeKubelet(agent: TestAgent): Promise<ClusterAccess> {
  const access = readKubeconfig(agent.hostPath("/etc/kubernetes/kubelet.conf"));
  await Deno.mkdir(agent.hostPath(KUBELET_DIR), { recursive: true, mode: 0o700 });
  const pem = `${KUBELET_DIR}/kubelet-client-current.pem`;
  await Deno.writeTextFile(agent.hostPath(pem), `${access.cert}${access.key}`);
  await Deno.writeTextFile(agent.hostPath(`${KUBELET_DIR}/ca.crt`), access.ca ?? "");
  await Deno.writeTextFile(agent.hostPath(KUBELET), kubeletConfig(access));
  return access;
}

/** Certificate and key by their paths, as Talos and kubeadm write it. */
function kubeletConfig({ server }: ClusterAccess): string {
  const cluster = { server, "certificate-authority": `${KUBELET_DIR}/ca.crt` };
  const pem = `${KUBELET_DIR}/kubelet-client-current.pem`;
  return JSON.stringify({
    "current-context": "default",
    clusters: [{ name: "default", cluster }],
    contexts: [{ name: "default", context: { cluster: "default", user: "default" } }],
    users: [{ name: "default", user: { "client-certificate": pem, "client-key": pem } }],
  });
}

function heldOf(agent: TestAgent): Held | undefined {
  try {
    const path = agent.hostPath(`${DATA_DIR}/access/certificate.json`);
    return JSON.parse(Deno.readTextFileSync(path));
  } catch {
    return undefined;
  }
}

async function says(agent: TestAgent, part: string, text: RegExp, timeout = 60_000): Promise<void> {
  await eventually(
    `${part} that says ${text}`,
    async () => {
      const { message } = await agent.part(part).catch(() => ({ message: "" }));
      return text.test(message) ? true : undefined;
    },
    timeout,
    () => agent.logTail(),
  );
}

interface Asked {
  readonly name: string;
  readonly commonName: string;
  readonly organization: string;
  readonly usages?: readonly string[];
}

/** Asks as somebody, and gives the conditions that the request has after a while. */
async function ask(kube: KubeClient, asked: Asked, admin: KubeClient, wait = 10_000) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const ref = { apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest" };
  await kube.create({
    ...ref,
    metadata: { name: asked.name },
    spec: {
      signerName: "kubernetes.io/kube-apiserver-client",
      request: btoa(requestPem(privateKey, asked)),
      usages: [...asked.usages ?? ["client auth", "digital signature"]],
      expirationSeconds: 3600,
    },
  });
  const deadline = performance.now() + wait;
  for (;;) {
    const object = await admin.get({ ...ref, name: asked.name });
    const { conditions } = object?.status as { conditions?: { type: string; message: string }[] };
    if (conditions !== undefined || performance.now() > deadline) return conditions ?? [];
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function assertForbidden(what: string, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert(error instanceof KubeError, what);
    assert.equal(error.reason, "Forbidden", `${what}: ${error.message}`);
    return true;
  }, what);
}

Deno.test({
  name: "a worker's agent gets its rights by itself, no more than it needs, and keeps them",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "rights", nodes: 2 });
    const [control, worker] = cluster.nodes.map((node) => new TestAgent(node));
    assert(control && worker);
    const kubelet = await writeKubelet(worker);
    const admin = KubeClient.fromKubeconfig(cluster.kubeconfig());
    const asWorker = () => {
      const held = heldOf(worker);
      assert(held);
      return KubeClient.fromAccess({ ...kubelet, cert: held.cert, key: held.key });
    };
    const startWorker = () =>
      worker.start({
        kubeconfig: undefined,
        flags: [`--kubelet-kubeconfig=${KUBELET}`, "--seed-dir=/var/nothing"],
      });

    await t.step(
      "it asks as its kubelet, and is answered when a control plane's agent runs",
      async () => {
        await startWorker();
        await says(
          worker,
          "node certificate",
          /^waits for an answer to holdfast-node2-[0-9a-f]{16}$/,
        );
        await control.start({ flags: ["--worker-rights=serve"] });
        await says(worker, "node certificate", /^this node's certificate counts until /);
        await says(worker, "cluster", /answers$/);
        const held = heldOf(worker);
        const certificate = new X509Certificate(held?.cert ?? "");
        assert.equal(certificate.subject, "O=holdfast:nodes\nCN=holdfast:node:node2");
        const days = (certificate.validToDate.getTime() - Date.now()) / 86_400_000;
        assert(days > 6.9 && days <= 7, String(days));
        const mode = (path: string) =>
          (Deno.statSync(worker.hostPath(`${DATA_DIR}/${path}`)).mode ?? 0) & 0o777;
        assert.deepEqual([mode("access"), mode("access/certificate.json")], [0o700, 0o600]);
        assert.doesNotMatch(await worker.logTail(500), /PRIVATE KEY/);
      },
    );

    await t.step(
      "it has the registry's image put together, says so as its kubelet, and serves",
      async () => {
        const file = await control.drop(HELLO);
        const verdict = await control.settled(file);
        assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await worker.logTail(30)}`);
        const nodes = await admin.list({ apiVersion: "v1", kind: "Node" });
        const seeds = nodes.items.map(({ metadata }) =>
          metadata.annotations?.["holdfast.dev/seed"]
        );
        assert.match(seeds[1] ?? "", /^sha256:/);
        assert.equal(seeds[0], seeds[1]);
        await eventually(
          "hello on the worker",
          async () => {
            const { items } = await admin.list(
              { apiVersion: "v1", kind: "Pod", namespace: "hello" },
              { fieldSelector: "spec.nodeName=node2,status.phase=Running" },
            );
            return items.length > 0 ? true : undefined;
          },
          60_000,
          () => worker.logTail(30),
        );
        await assertHelloAnswers(worker.node);
        // What it asks for it may: nothing was refused to it.
        assert.doesNotMatch(await worker.logTail(500), /answered 403|Forbidden/);
        assert.equal((await worker.part("pull secrets")).ok, true);
      },
    );

    await t.step("it may not do what serving does not take", async () => {
      const kube = asWorker();
      const secrets = { apiVersion: "v1", kind: "Secret", namespace: "zarf" };
      assert(await kube.get({ ...secrets, name: "holdfast-nodes" }));
      await assertForbidden("state", kube.get({ ...secrets, name: "zarf-state" }));
      await assertForbidden("secrets", kube.list(secrets));
      await assertForbidden("pods", kube.list({ apiVersion: "v1", kind: "Pod" }));
      const node = { apiVersion: "v1", kind: "Node", name: "node1" };
      const body = { metadata: { annotations: { a: "b" } } };
      await assertForbidden("node", kube.patch(node, { type: "merge", body }));
      const index = { apiVersion: "v1", kind: "ConfigMap", namespace: "zarf", name: "x" };
      await assertForbidden("payload", kube.delete(index));
      const request = {
        name: "again",
        commonName: "holdfast:node:node2",
        organization: "holdfast:nodes",
      };
      await assertForbidden("request", ask(kube, request, admin));
      kube.close();
    });

    await t.step(
      "a name that is not the asker's is denied, and what is not ours is left alone",
      async () => {
        const asKubelet = KubeClient.fromAccess(kubelet);
        const name = "holdfast:node:node1";
        const organization = "holdfast:nodes";
        const cases: [KubeClient, Asked, RegExp | undefined][] = [
          [
            asKubelet,
            { name: "other", commonName: name, organization },
            /node2 may ask for holdfast:node:node2 only/,
          ],
          [
            admin,
            { name: "admin", commonName: name, organization },
            /only the kubelet .* not "admin"/,
          ],
          [asKubelet, { name: "group", commonName: "alice", organization }, /node2 may ask for/],
          [asKubelet, { name: "alice", commonName: "alice", organization: "users" }, undefined],
        ];
        for (const [kube, asked, why] of cases) {
          const [condition] = await ask(kube, asked, admin, why === undefined ? 2_000 : 10_000);
          assert.equal(condition?.type, why === undefined ? undefined : "Denied", asked.name);
          if (why !== undefined) assert.match(condition?.message ?? "", why);
        }
        asKubelet.close();
      },
    );

    await t.step(
      "a package dropped there waits, until the control plane lets workers deploy",
      async () => {
        const file = await worker.drop(HELLO);
        const waiting = await eventually(
          "refusal",
          async () => {
            const verdict = await worker.verdict(file);
            return verdict?.reason === "MayNotDeploy" ? verdict : undefined;
          },
          30_000,
          () => worker.logTail(),
        );
        assert.equal(waiting.phase, "Accepted");
        assert.match(waiting.message, /--worker-rights deploy/);
        await control.stop();
        await control.start({ flags: ["--worker-rights=deploy"] });
        const verdict = await worker.settled(file, { timeout: 120_000 });
        assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await worker.logTail(30)}`);
      },
    );

    await t.step("a restart asks for nothing", async () => {
      const before = heldOf(worker)?.cert;
      await worker.stop();
      await control.stop();
      await startWorker();
      await says(worker, "cluster", /answers$/);
      assert.equal(heldOf(worker)?.cert, before);
      await control.start({ flags: ["--worker-rights=serve"] });
    });

    await t.step("a short certificate is renewed before its end", async () => {
      const context = { ...cluster.plan, node: 1 };
      const { argv } = daemonCommand("controller-manager", context);
      await cluster.stop("controller-manager");
      const [program = "", ...args] = argv;
      await control.node.spawn(program, [...args, `--cluster-signing-duration=${SHORT}`], {
        name: SHORT_SIGNER,
      });
      await worker.stop();
      await Deno.remove(worker.hostPath(`${DATA_DIR}/access`), { recursive: true });
      await startWorker();
      const first = await eventually("short certificate", () => heldOf(worker)?.cert, 60_000);
      const end = new X509Certificate(first).validToDate.getTime();
      assert(end - Date.now() < 70_000);
      await eventually("another one", () => heldOf(worker)?.cert !== first || undefined, 90_000);
      assert(Date.now() < end, "in time");
      await says(worker, "cluster", /answers$/);
    });

    await t.step("on a worker of Talos nothing is given, and a late kubelet is seen", async () => {
      await worker.stop();
      await Deno.remove(worker.hostPath(`${DATA_DIR}/access`), { recursive: true });
      const socket = "/var/machine.sock";
      await using talos = await TalosApi.start(worker.hostPath(socket));
      await talos.change({ machineType: "worker" });
      const start = () =>
        worker.start({
          kubeconfig: undefined,
          flags: [`--talos-socket=${socket}`, "--seed-dir=/var/nothing"],
        });
      await start();
      await says(worker, "Talos", /this machine is a worker/);
      await says(worker, "node certificate", /kubelet has not joined a cluster yet/);
      const place = worker.hostPath("/etc/kubernetes/kubeconfig-kubelet");
      await Deno.writeTextFile(place, kubeletConfig(kubelet));
      await says(worker, "node certificate", COUNTS, 60_000);
      await says(worker, "cluster", /answers$/);
    });

    await t.step("a certificate that the cluster does not know is replaced", async () => {
      const held = heldOf(worker);
      assert(held);
      await worker.stop();
      const strange = { ...held, ...strangeCertificate() };
      const path = worker.hostPath(`${DATA_DIR}/access/certificate.json`);
      await Deno.writeTextFile(path, JSON.stringify(strange));
      await startWorker();
      await eventually(
        "another certificate",
        () => (heldOf(worker)?.cert ?? strange.cert) !== strange.cert || undefined,
        60_000,
        () => worker.logTail(30),
      );
      await says(worker, "cluster", /answers$/);
    });

    admin.close();
  },
});

/** A certificate of another authority that looks like the node's, as before a cluster was rebuilt. */
function strangeCertificate(): Held {
  const key = newKey();
  const cert = issue(key, {
    commonName: "holdfast:node:node2",
    organization: "holdfast:nodes",
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
  });
  return { cert, key: keyPem(key) };
}
