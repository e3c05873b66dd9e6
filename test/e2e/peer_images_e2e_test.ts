import assert from "node:assert/strict";
import { digestOf } from "../../src/std/mod.ts";
import { freePort } from "../fakes/free_address.ts";
import { talosImages } from "../talos/image_specs.ts";
import { talosImagesPackage } from "../talos/images.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { TalosApi, type TalosChange } from "./support/talos_api.ts";

/*
 * Nodes of one site of Talos before there is a cluster, each a compiled agent with a Talos of its own on
 * an address of the loopback. Only a control plane is given the package.
 */

const TOKEN = "abcdef.0123456789abcdef";
const CONTROL_PLANE = "127.0.0.2";
const WORKER = "127.0.0.3";
/** How long something may take on a machine that is busy, in milliseconds. */
const PATIENCE = 60_000;
/** How long a request that is made to wait is watched. */
const WATCHED = 5_000;

/** A node: Talos' API, and the agent on it. */
class Machine implements AsyncDisposable {
  private constructor(
    readonly address: string,
    readonly api: TalosApi,
    readonly agent: LocalAgent,
    readonly port: number,
    readonly flags: readonly string[],
  ) {}

  static async start(
    address: string,
    port: number,
    talos: TalosChange,
    flags: readonly string[] = [],
  ): Promise<Machine> {
    const agent = new LocalAgent();
    const api = await TalosApi.start(`${agent.directory}/machine.sock`);
    const machine = new Machine(address, api, agent, port, flags);
    await api.change({ addresses: [`${address}/8`], token: TOKEN, ...talos });
    await machine.startAgent();
    return machine;
  }

  async startAgent(): Promise<void> {
    await this.agent.started({
      flags: [
        ...["--image-mode=mirror", `--talos-socket=${this.api.socket}`],
        `--peer-address=${this.address}:${this.port}`,
        ...this.flags,
      ],
    });
  }

  /** Asks for an image as Talos does, with all that it is made of. */
  async pull(image: string): Promise<{ readonly status: number; readonly bytes: number }> {
    const [, host = "", path = "", tag = ""] = /^([^/]+)\/(.+):([^:]+)$/.exec(image) ?? [];
    const base = `http://${this.agent.addresses.registry}/v2/${path}`;
    const get = async (kind: string, reference: string) => {
      const response = await fetch(`${base}/${kind}/${reference}?ns=${host}`);
      return { status: response.status, bytes: await response.bytes() };
    };
    const { status, bytes } = await get("manifests", tag);
    if (status !== 200) return { status, bytes: 0 };
    const manifest = JSON.parse(new TextDecoder().decode(bytes));
    let sum = 0;
    for (const { digest, size } of [manifest.config, ...manifest.layers]) {
      const blob = await get("blobs", digest);
      assert.deepEqual([blob.status, digestOf(blob.bytes)], [200, digest], image);
      sum += size;
    }
    return { status, bytes: sum };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
  }
}

/** A blank control plane and a blank worker that knows where it is. */
async function withSite(
  action: (controlPlane: Machine, worker: Machine) => Promise<void>,
  worker: TalosChange = {},
  flags: readonly string[] = [],
): Promise<void> {
  const port = freePort();
  const { images: { kubelet = "" } } = await talosImages();
  await using first = await Machine.start(CONTROL_PLANE, port, {
    machineType: "controlplane",
    endpoints: [CONTROL_PLANE],
  });
  await using second = await Machine.start(WORKER, port, {
    ...{ machineType: "worker", endpoints: [CONTROL_PLANE], kubeletImage: kubelet },
    ...worker,
  }, flags);
  await action(first, second);
}

const isKubeletStart = ({ call = "" }) => call.endsWith("/ServiceStart");

Deno.test("a blank worker has Talos' images from the control plane that was given the package", () =>
  withSite(async (controlPlane, worker) => {
    const { images: { etcd = "", kubelet = "", "kube-proxy": proxy = "" } } = await talosImages();
    const early = worker.pull(kubelet);
    await worker.agent.eventually(
      "an image that is waited for",
      () => worker.agent.logged(/no package has brought it yet/)[0],
      PATIENCE,
    );
    await controlPlane.agent.drop(await talosImagesPackage());
    assert.equal((await early).status, 200, "who asked before it came has it when it is there");
    for (const image of [etcd, kubelet, proxy]) {
      const { status, bytes } = await worker.pull(image);
      assert.deepEqual([status, bytes > 0], [200, true], image);
    }
    const from = worker.agent.logged(/an image comes from a control plane/);
    assert.equal(from.length, 3, worker.agent.log());
    assert.match(from.join("\n"), new RegExp(`image=${kubelet} from=${CONTROL_PLANE}`));
    const metrics = await worker.agent.get("/metrics");
    assert.match(metrics, /source="control-planes"/);
    // A kubelet that gave its image up before is started.
    const start = await worker.agent.eventually(
      "a kubelet that is started",
      () => worker.api.lines.find(isKubeletStart),
      PATIENCE,
    );
    assert.deepEqual(start.request, { id: "kubelet" });
    // Nothing of it stays, and it is there again after the control plane was away.
    await controlPlane.agent.stop("SIGKILL");
    let answered = false;
    const late = worker.pull(etcd).finally(() => answered = true);
    await new Promise((resolve) => setTimeout(resolve, WATCHED));
    assert.equal(answered, false, "it would count against the kubelet");
    await controlPlane.startAgent();
    assert.equal((await late).status, 200);
    for (const { agent } of [controlPlane, worker]) assert.doesNotMatch(agent.log(), /0123456789/);
  }));

Deno.test("a machine of another site is given nothing until it is configured anew", () =>
  withSite(async (controlPlane, worker) => {
    const { images: { kubelet = "" } } = await talosImages();
    await controlPlane.agent.settled(
      await controlPlane.agent.drop(await talosImagesPackage()),
      { where: ({ message }) => message.startsWith("waiting for the cluster") },
    );
    const waiting = worker.pull(kubelet);
    await worker.agent.eventually(
      "a refusal",
      () => worker.agent.logged(/it does not take this machine for one of its site/)[0],
      PATIENCE,
    );
    assert.equal(worker.agent.logged(/an image comes from a control plane/).length, 0);
    await worker.api.change({ token: TOKEN });
    assert.equal((await waiting).status, 200);
  }, { token: "abcdef.0123456789abcdeg" }));

Deno.test("a later control plane has them from the first of the settings' list, and none asks itself", () =>
  withSite(
    async (controlPlane, later) => {
      const { images: { etcd = "" } } = await talosImages();
      await controlPlane.agent.drop(await talosImagesPackage());
      assert.equal((await later.pull(etcd)).status, 200);
      assert.equal((await controlPlane.pull(etcd)).status, 200);
      assert.equal(controlPlane.agent.logged(/an image comes from a control plane/).length, 0);
      const { message } = await later.agent.part("peer listener");
      assert.match(message, new RegExp(`^listens on ${WORKER}`));
    },
    { machineType: "controlplane", endpoints: [] },
    [
      `--bootstrap-control-planes=${WORKER}`,
      `--bootstrap-control-planes=${CONTROL_PLANE}`,
    ],
  ));
