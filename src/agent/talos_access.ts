import * as v from "valibot";
import {
  type Clock,
  describeError,
  HoldfastError,
  type Logger,
  removeQuietly,
  systemClock,
} from "../std/mod.ts";
import { RESOURCES, type TalosClient, type TalosResource } from "../talos/mod.ts";
import { LedKubeconfig } from "./led_kubeconfig.ts";
import type { Part } from "./listeners.ts";
import { watchTalos } from "./talos_watch.ts";

/** Why Talos gives no way to the cluster. */
export type TalosAccessReason = "NotControlPlane" | "SecretsUnreadable";

/** There is no way to the cluster by way of Talos, now or on this machine. */
export class TalosAccessError extends HoldfastError<TalosAccessReason> {}

/** What {@linkcode TalosAccess} works with. */
export interface TalosAccessOptions {
  /** machined's socket. */
  readonly socket: string;
  readonly part: Part;
  readonly logger: Logger;
  /** On a worker, where Talos has no kubeconfig: makes one there, until the signal aborts. */
  readonly worker?: (kubeconfig: string, signal: AbortSignal) => Promise<void>;
  readonly clock?: Clock;
}

const secretsSchema = v.object({ localhostAdminKubeconfig: v.string() });
const machineTypeSchema = v.picklist(["init", "controlplane", "worker", "unknown"]);

/**
 * The way to the cluster on a control plane of Talos: machined has a kubeconfig for the node's own
 * API server, before Kubernetes has ever run (Talos 1.13, KubernetesSecrets.secrets.talos.dev). It is
 * kept in a file ({@linkcode LedKubeconfig}), and in step: Talos makes a new one before the old one
 * ends, and when its certificate authority changes.
 */
export class TalosAccess implements Disposable {
  /** Path of the kubeconfig; it is there once Talos has given one. */
  readonly kubeconfig: string;
  readonly #options: TalosAccessOptions;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #file: LedKubeconfig;
  #said = "";

  constructor(options: TalosAccessOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    // Nobody else can read it, and it need not outlive the process.
    this.#directory = Deno.makeTempDirSync({ prefix: "holdfast-access-" });
    this.kubeconfig = `${this.#directory}/kubeconfig`;
    this.#file = new LedKubeconfig(this.kubeconfig);
    options.part.set(true, "machined is being asked");
  }

  /** Forgets the kubeconfig. */
  [Symbol.dispose](): void {
    removeQuietly(this.#directory);
  }

  /** Follows Talos until the signal aborts. What goes wrong is said and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    await watchTalos({
      socket: this.#options.socket,
      clock: this.#clock,
      follow: (client, watch) => this.#follow(client, watch),
      complain: (error) => this.#complain(error),
    }, signal);
  }

  /** Who used the kubeconfig was not answered: whether it leads elsewhere now. Never throws. */
  async lookAnew(): Promise<boolean> {
    try {
      return this.#file.isThere && await this.#file.lookAnew();
    } catch (error) {
      this.#complain(error);
      return false;
    }
  }

  async #follow(client: TalosClient, signal: AbortSignal): Promise<void> {
    if (await machineType(client, signal) === "worker") return await this.#beWorker(signal);
    const { id, ...kind } = RESOURCES.kubernetesSecrets;
    for await (const event of client.watch(kind, { signal })) {
      if (event.type === "Present" && event.resource.id === id) await this.#keep(event.resource);
      // The last one may still be good; whoever uses it learns when it is not.
      if (event.type === "Synced" && !this.#file.isThere) {
        this.#say(true, "Talos has no kubeconfig yet; its clock may not be set");
      }
    }
  }

  async #beWorker(signal: AbortSignal): Promise<void> {
    const { worker } = this.#options;
    if (worker === undefined) throw notControlPlane("this machine is a worker");
    this.#say(true, "this machine is a worker; it gets its rights as the kubelet");
    await worker(this.kubeconfig, signal);
  }

  async #keep({ spec }: TalosResource): Promise<void> {
    const parsed = v.safeParse(secretsSchema, spec);
    if (!parsed.success || parsed.output.localhostAdminKubeconfig === "") {
      throw new TalosAccessError({
        reason: "SecretsUnreadable",
        message: "Talos' Kubernetes secrets hold no kubeconfig",
        disposition: "retry",
      });
    }
    await this.#file.give(parsed.output.localhostAdminKubeconfig);
    this.#say(true, "the control plane's kubeconfig is there");
  }

  #complain(error: unknown): void {
    const ok = error instanceof TalosAccessError && error.reason === "NotControlPlane";
    this.#say(ok, describeError(error));
  }

  /** Says it on the status page, and in the log when it is news. */
  #say(ok: boolean, text: string): void {
    this.#options.part.set(ok, text);
    if (text === this.#said) return;
    this.#said = text;
    this.#options.logger[ok ? "info" : "warn"](`Talos: ${text}`);
  }
}

/** @throws {TalosAccessError} NotControlPlane while the machine does not know yet what it is. */
async function machineType(
  client: TalosClient,
  signal: AbortSignal,
): Promise<"controlplane" | "worker"> {
  const resource = await client.resource(RESOURCES.machineType, { signal });
  const { output: type } = v.safeParse(machineTypeSchema, resource?.spec ?? "unknown");
  if (type === "controlplane" || type === "init") return "controlplane";
  if (type === "worker") return type;
  throw notControlPlane("this machine does not know yet what it is");
}

function notControlPlane(message: string): TalosAccessError {
  return new TalosAccessError({ reason: "NotControlPlane", message, disposition: "wait" });
}
