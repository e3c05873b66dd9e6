// Runs alone: one late answer of two thousand would be a refused pod.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  AdmissionTlsRotation,
  issueCertificates,
  LIVES,
  serveAdmission,
  TLS_SECRET,
} from "../../src/admission/mod.ts";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { describeError, systemClock } from "../../src/std/mod.ts";
import { Cluster, type ClusterNode, type NodeProcess, obstacle } from "../cluster/mod.ts";
import { AwakeClock, eventually, withDirectory } from "../fakes/testing.ts";

const PORT = 7471;
/** Requests in flight all the time. */
const IN_FLIGHT = 12;
/** Of the agent's clock, in which about one certificate is made in each, and three CAs. */
const YEARS = 17;
/** Milliseconds in place of ten minutes; an API server reads a new configuration within a few. */
const SETTLE = 1_500;
const YEAR = 365 * 86_400_000;
const NGINX = "127.0.0.1:31999/library/nginx:1.27-zarf-3793515731";

/** Pods that are created for trial, again and again, as many at a time as are allowed. */
class Load {
  readonly failures: string[] = [];
  answered = 0;
  #isOver = false;
  readonly #running: Promise<unknown>;

  constructor(kube: KubeClient) {
    this.#running = Promise.all(Array.from({ length: IN_FLIGHT }, () => this.#ask(kube)));
  }

  async #ask(kube: KubeClient): Promise<void> {
    while (!this.#isOver) {
      try {
        const { spec } = await kube.create(pod(), { dryRun: true });
        const { image } = (spec as { containers: { image: string }[] }).containers[0] ?? {};
        if (image === NGINX) this.answered++;
        else this.failures.push(`the image is ${image}`);
      } catch (error) {
        this.failures.push(describeError(error));
      }
    }
  }

  /** Waits until at least so many more were answered. */
  async more(count: number): Promise<void> {
    const wanted = this.answered + count;
    await eventually(() => this.answered >= wanted || this.failures.length > 0, 60_000);
    assert.deepEqual(this.failures, []);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

function pod(): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "trial-", namespace: "default" },
    spec: { containers: [{ name: "web", image: "nginx:1.27" }] },
  };
}

/** The agent that keeps the certificates, with a wall clock that is set by hand. */
class Keeper implements Disposable {
  wall = Date.now();
  // Where the machine stands still the API server has no time to read what is new, either.
  readonly #awake = new AwakeClock();
  readonly #rotation = new AdmissionTlsRotation({
    clock: {
      now: () => new Date(this.wall),
      monotonic: () => this.#awake.monotonic(),
      sleep: systemClock.sleep,
    },
    lives: { ...LIVES, settle: SETTLE },
  });
  readonly #leaves = new Set<string>();
  #passes = 0;

  /** @param served how many certificates the webhook has served so far */
  constructor(readonly kube: KubeClient, readonly served: () => Promise<number>) {}

  [Symbol.dispose](): void {
    this.#awake[Symbol.dispose]();
  }

  /** A step, and the API server is told unless told not to; `true` when anything changed. */
  async step(isTold = true): Promise<boolean> {
    const { writes } = this.kube;
    const { ca } = await this.#rotation.step(this.kube);
    const isNew = this.kube.writes > writes;
    // Blank lines make it another bundle, and the API server open another connection.
    const bundle = () => configuration(ca + "\n".repeat(this.#passes++));
    if (isTold) await this.kube.apply(bundle(), { force: true });
    if (isNew) await this.#isServed();
    return isNew;
  }

  /** Waits until the webhook has the certificate, of which it would overlook one that goes soon. */
  async #isServed(): Promise<void> {
    this.#leaves.add((await this.#secret())["tls.crt"] ?? assert.fail());
    await eventually(async () => await this.served() >= this.#leaves.size, 60_000);
  }

  async #secret(): Promise<Record<string, string>> {
    const ref = { apiVersion: "v1", kind: "Secret", namespace: "zarf", name: TLS_SECRET };
    const found = await this.kube.get<KubeObject & { data: Record<string, string> }>(ref);
    return found?.data ?? assert.fail();
  }

  /** Steps until one changes something. */
  async change(load: Load): Promise<void> {
    const deadline = performance.now() + 60_000;
    while (!await this.step()) {
      assert.ok(performance.now() < deadline, "nothing changes");
      await load.more(20);
    }
    await load.more(200);
  }

  /** Steps for as long as has to be waited between two that build on each other. */
  async rest(load: Load): Promise<void> {
    for (const end = this.#awake.monotonic() + SETTLE + 500; this.#awake.monotonic() < end;) {
      await this.step();
      await load.more(20);
    }
    // The last one may have been before the time was over, on a busy machine long before.
    await this.step();
  }

  /** How many CAs are trusted. */
  async trusted(): Promise<number> {
    const { "ca.crt": bundle = "" } = await this.#secret();
    return atob(bundle).split("-----BEGIN CERTIFICATE-----").length - 1;
  }
}

/** Any failure is a refused pod; an answer that is only late is none. */
function configuration(caBundle: string): KubeObject {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "holdfast" },
    webhooks: [{
      name: "pods.holdfast.dev",
      admissionReviewVersions: ["v1"],
      clientConfig: { url: `https://127.0.0.1:${PORT}/mutate/pod`, caBundle: btoa(caBundle) },
      failurePolicy: "Fail",
      rules: [{
        apiGroups: [""],
        apiVersions: ["v1"],
        operations: ["CREATE"],
        resources: ["pods"],
      }],
      sideEffects: "None",
      timeoutSeconds: 30,
    }],
  };
}

async function startWebhook(cluster: Cluster, node: ClusterNode): Promise<NodeProcess> {
  const script = fileURLToPath(new URL("support/certificate_main.ts", import.meta.url));
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
  return await node.spawn(
    Deno.execPath(),
    ["run", "-A", "--no-lock", script, cluster.kubeconfig(node), String(PORT)],
    { env: { DENO_NO_UPDATE_CHECK: "1", DENO_DIR: denoDir } },
  );
}

/** The first bytes that a server at `port` sends to whoever `connect` makes come. */
async function firstAnswer(
  port: number,
  connect: (port: number) => Promise<unknown>,
): Promise<Uint8Array> {
  const tap = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const first = Promise.withResolvers<Uint8Array>();
  const passing = (async () => {
    for await (const client of tap) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port });
      const look = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform: (chunk, to) => {
          first.resolve(chunk);
          to.enqueue(chunk);
        },
      });
      await Promise.allSettled([
        client.readable.pipeTo(server.writable),
        server.readable.pipeThrough(look).pipeTo(client.writable),
      ]);
    }
  })();
  await connect(tap.addr.port);
  tap.close();
  await passing;
  return await first.promise;
}

const reason = obstacle();
if (reason !== undefined) {
  Deno.stderr.writeSync(
    new TextEncoder().encode(`certificate_swap_e2e_test.ts is skipped: ${reason}\n`),
  );
}

Deno.test({
  name: "certificates and CAs are renewed without one refused pod, whatever the agent's clock says",
  ignore: reason !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: `certs-${Deno.pid.toString(36)}` });
    const [node] = cluster.nodes;
    assert.ok(node);
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    await cluster.kubectl(["create", "namespace", "zarf"]);
    const webhook = await startWebhook(cluster, node);
    const served = async () =>
      (await Deno.readTextFile(webhook.logPath)).split("another certificate").length - 1;
    using keeper = new Keeper(kube, served);

    await t.step("certificates that were made in 1970 are believed today", async () => {
      keeper.wall = 0;
      assert.equal(await keeper.step(), true);
      await eventually(async () => await served() === 1, 30_000);
      await eventually(() => kube.create(pod(), { dryRun: true }).then(() => true, () => false));
      assert.equal(await keeper.trusted(), 1);
    });

    const load = new Load(kube);
    try {
      await t.step("when the clock is set right the CA is renewed, in three steps", async () => {
        keeper.wall = Date.now();
        assert.equal(await keeper.step(false), true);
        assert.equal(await keeper.trusted(), 2);
        for (const end = performance.now() + 2 * SETTLE; performance.now() < end;) {
          assert.equal(await keeper.step(false), false, "the API server does not trust it yet");
          await load.more(20);
        }
        await keeper.change(load);
        await eventually(async () => await served() === 2, 60_000);
        keeper.wall += 4 * YEAR;
        await keeper.change(load);
        assert.equal(await keeper.trusted(), 2, "a leaf in between");
        await keeper.change(load);
        assert.equal(await keeper.trusted(), 1);
      });

      await t.step(`in ${YEARS} years certificate follows certificate, and CA CA`, async () => {
        const before = await served();
        const trusted: number[] = [];
        for (const end = keeper.wall + YEARS * YEAR; keeper.wall < end;) {
          keeper.wall += 0.7 * YEAR;
          await keeper.change(load);
          // What has to be seen for a while is seen.
          if (await keeper.trusted() > 1) await keeper.rest(load);
          const count = await keeper.trusted();
          if (count !== trusted.at(-1)) trusted.push(count);
        }
        assert.deepEqual(trusted.slice(0, 5), [1, 2, 1, 2, 1]);
        await eventually(async () => await served() - before >= YEARS, 60_000);
      });

      await t.step("a clock that jumps back, also to 1970, changes nothing", async () => {
        const right = keeper.wall;
        for (const wall of [right - YEAR, 0, right - 1]) {
          keeper.wall = wall;
          assert.equal(await keeper.step(), false);
          await load.more(100);
        }
        keeper.wall = right;
      });

      await t.step("after ten years off everything is renewed", async () => {
        await keeper.rest(load);
        keeper.wall += 10 * YEAR;
        const before = await served();
        await keeper.change(load);
        await keeper.rest(load);
        await eventually(async () => await served() > before, 60_000);
      });
    } finally {
      await load.stop();
    }
    assert.deepEqual(load.failures, []);
    Deno.stdout.writeSync(
      new TextEncoder().encode(
        `${load.answered} pods were admitted with ${await served()} certificates, none refused\n`,
      ),
    );
    assert.ok(load.answered > 2_000);

    await t.step("a Go client agrees on TLS 1.3", () =>
      withDirectory(async (dir) => {
        const { ca, cert, key } = issueCertificates();
        await Deno.writeTextFile(`${dir}/ca.pem`, ca);
        const server = serveAdmission(() => Promise.resolve(new Response("ok")), {
          hostname: "127.0.0.1",
          port: 0,
          tls: { cert, key },
        });
        const hello = await firstAnswer(server.port, async (port) => {
          const options = [`--server=https://127.0.0.1:${port}`, "--certificate-authority"];
          const asked = ["get", "--raw", "/healthz"];
          assert.equal(await cluster.kubectl([...options, `${dir}/ca.pem`, ...asked]), "ok");
        });
        await server.shutdown();
        // Record header, message header, version, random; then the session and the cipher suite, of
        // which TLS 1.3 has its own, 13 01 and up (RFC 8446, 4.1.3 and B.4).
        const session = hello[43] ?? assert.fail();
        assert.equal(hello[44 + session], 0x13, hello.subarray(0, 90).toHex());
      }));
    kube.close();
  },
});
