import { NodeCertificate } from "../rights/mod.ts";
import { type Logger, removeQuietly } from "../std/mod.ts";
import type { Part } from "./listeners.ts";
import type { NodeName } from "./node_name.ts";
import type { Settings } from "./settings.ts";
import { TalosAccess } from "./talos_access.ts";

/** Where Talos 1.13 has the kubelet's kubeconfig (pkg/machinery/constants, KubeletKubeconfig). */
const TALOS_KUBELET = "/etc/kubernetes/kubeconfig-kubelet";

/** What {@linkcode OwnAccess} works with. */
export interface OwnAccessOptions {
  readonly settings: Settings;
  readonly name: NodeName;
  readonly logger: Logger;
  /** How Talos is, and how the node's certificate is. */
  readonly parts: { readonly talos: Part; readonly certificate: Part };
}

/**
 * The way to the cluster that an agent finds by itself where it is given none: Talos' kubeconfig on a
 * control plane of Talos, else a certificate that it asks for as the kubelet of its node.
 */
export class OwnAccess implements Disposable {
  readonly #options: OwnAccessOptions;
  readonly #talos: TalosAccess | undefined;
  readonly #directory: string | undefined;
  #isNode = false;

  constructor(options: OwnAccessOptions) {
    this.#options = options;
    const { settings, logger, parts } = options;
    if (settings.kubeconfig !== undefined) return;
    const socket = settings["talos-socket"];
    if (socket !== undefined) {
      this.#talos = new TalosAccess({
        ...{ socket, logger, part: parts.talos },
        worker: (kubeconfig, signal) => this.#beNode(kubeconfig, signal),
      });
    } else if (settings["kubelet-kubeconfig"] !== undefined) {
      // Nobody else can read it, and what is to outlive the process is kept elsewhere.
      this.#directory = Deno.makeTempDirSync({ prefix: "holdfast-access-" });
    }
  }

  /** Forgets the kubeconfig. */
  [Symbol.dispose](): void {
    this.#talos?.[Symbol.dispose]();
    if (this.#directory !== undefined) removeQuietly(this.#directory);
  }

  /** Path of the kubeconfig, which may come later; undefined where there is no such way. */
  get kubeconfig(): string | undefined {
    if (this.#talos !== undefined) return this.#talos.kubeconfig;
    return this.#directory === undefined ? undefined : `${this.#directory}/kubeconfig`;
  }

  /** Whether it is found by way of Talos. */
  get isTalos(): boolean {
    return this.#talos !== undefined;
  }

  /** Whether the agent has the rights of a node, not those of an administrator. */
  get isNode(): boolean {
    return this.#isNode;
  }

  /** How it stands with the kubeconfig. */
  get message(): string {
    const { certificate, talos } = this.#options.parts;
    return (this.#isNode ? certificate : talos).message;
  }

  /** The kubelet's kubeconfig. */
  get kubelet(): string {
    return this.#options.settings["kubelet-kubeconfig"] ?? TALOS_KUBELET;
  }

  /** The kubeconfig's API server does not answer: whether it leads elsewhere now. Never throws. */
  async lookAnew(): Promise<boolean> {
    return await this.#talos?.lookAnew() ?? false;
  }

  /** Keeps the kubeconfig in step until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#talos !== undefined) return await this.#talos.run(signal);
    if (this.kubeconfig !== undefined) await this.#beNode(this.kubeconfig, signal);
  }

  async #beNode(kubeconfig: string, signal: AbortSignal): Promise<void> {
    const { settings, name, logger, parts: { certificate } } = this.#options;
    this.#isNode = true;
    if (name.known === undefined) certificate.set(false, "waits for the node's name");
    const asNode = (nodeName: string) =>
      new NodeCertificate({
        kubelet: this.kubelet,
        nodeName,
        directory: `${settings["data-dir"]}/access`,
        kubeconfig,
        logger,
        say: (ok, text) => {
          if (certificate.message !== text) {
            logger[ok ? "info" : "warn"](`node certificate: ${text}`);
          }
          certificate.set(ok, text);
        },
      });
    await name.follow((nodeName, named) => asNode(nodeName).run(named), signal);
  }
}
