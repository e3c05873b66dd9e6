import assert from "node:assert/strict";
import { hostOf } from "../../../src/agent/mod.ts";
import { pem } from "../../fakes/api_peer.ts";
import { LocalAgent, type LocalAgentOptions } from "./local_agent.ts";
import { TalosApi, type TalosChange } from "./talos_api.ts";

/** How long a cluster may take to begin, in milliseconds. */
const PATIENCE = 90_000;
/** Milliseconds in which an agent looks more than once. */
const SOME_LOOKS = 5_000;
const BOOTSTRAP = "/machine.MachineService/Bootstrap";
/** What the machines of one site have in common. */
export const SITE_SECRETS = { kubernetesCA: pem("ca.crt"), etcdKey: "the key of etcd's authority" };

/** What is different on one machine. */
export interface EtcdMachineOptions {
  readonly address: string;
  /** `bootstrap.control-planes`; none by default. */
  readonly controlPlanes?: readonly string[];
  /** Where agents listen for each other, on the machine's address. */
  readonly peerPort?: number;
  readonly talos?: TalosChange;
  /** Where the agent's other listeners are, as in a URL. @default 127.0.0.1 */
  readonly loopback?: string;
}

/** A control plane: Talos' API with a disk of its own, and the agent on it, which may come and go. */
export class EtcdMachine implements AsyncDisposable {
  readonly address: string;
  readonly api: TalosApi;
  readonly agent: LocalAgent;
  #controlPlanes: readonly string[];
  readonly #peerPort: number | undefined;

  private constructor(api: TalosApi, agent: LocalAgent, options: EtcdMachineOptions) {
    this.api = api;
    this.agent = agent;
    this.address = options.address;
    this.#controlPlanes = options.controlPlanes ?? [];
    this.#peerPort = options.peerPort;
  }

  /** A machine with a blank disk, without its agent yet. */
  static async blank(options: EtcdMachineOptions): Promise<EtcdMachine> {
    const agent = new LocalAgent(options.loopback);
    const api = await TalosApi.start(`${agent.directory}/machine.sock`);
    const machine = new EtcdMachine(api, agent, options);
    await api.change({
      machineType: "controlplane",
      addresses: [`${options.address}/${options.address.includes(":") ? 64 : 24}`],
      site: { ...SITE_SECRETS, endpoint: `https://${hostOf(options.address)}:6443` },
      ...options.talos,
    });
    return machine;
  }

  /** Starts its agent; it may come up with other settings than the last time. */
  async start(
    options: LocalAgentOptions & { readonly controlPlanes?: readonly string[] } = {},
  ): Promise<void> {
    this.#controlPlanes = options.controlPlanes ?? this.#controlPlanes;
    this.agent.start({ ...options, flags: [...this.#flags(), ...options.flags ?? []] });
    if (options.env?.["HOLDFAST_FAILPOINT"] !== undefined) return;
    await this.agent.eventually("status page", async () => {
      try {
        return (await this.agent.get("/livez")).trim() === "ok" ? true : undefined;
      } catch {
        return undefined;
      }
    }, PATIENCE);
  }

  /** Waits until its agent says something of the cluster's beginning. */
  async says(text: RegExp): Promise<void> {
    let last = "";
    await this.agent.eventually(
      `${this.address} that says ${text}`,
      async () => text.test(last = (await this.agent.part("etcd bootstrap")).message) || undefined,
      PATIENCE,
      () => last,
    );
  }

  /** Waits until its agent can be asked by others. */
  async listens(): Promise<void> {
    await this.agent.eventually(
      "peer listener",
      async () =>
        (await this.agent.part("peer listener")).message.startsWith("listens") || undefined,
      PATIENCE,
    );
  }

  /** How often Talos was asked to make a cluster. */
  get bootstraps(): number {
    return this.api.calls.filter((call) => call === BOOTSTRAP).length;
  }

  /** Fails when Talos is asked within the next looks of its agent. */
  async stays(bootstraps: number, what = this.address): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, SOME_LOOKS));
    assert.equal(this.bootstraps, bootstraps, `${what}\n${this.agent.log()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    await this.agent[Symbol.asyncDispose]();
  }

  #flags(): string[] {
    return [
      `--talos-socket=${this.api.socket}`,
      "--bootstrap-etcd=first-control-plane",
      ...this.#controlPlanes.map((address) => `--bootstrap-control-planes=${address}`),
      ...(this.#peerPort === undefined ? [] : [
        `--peer-address=${hostOf(this.address)}:${this.#peerPort}`,
      ]),
    ];
  }
}
