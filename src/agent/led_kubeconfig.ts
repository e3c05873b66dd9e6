import { load } from "js-yaml";
import { accessOf, type ClusterAccess } from "../kube/mod.ts";
import { writeFileAtomic } from "../std/mod.ts";
import { ApiProber } from "./api_probe.ts";
import { hostOf } from "./node_address.ts";

/** Where an API server of Talos listens, unless it is told otherwise. */
export const API_PORT = 6443;

/** The API server of the machine that asks. */
const OWN: ServerPlace = { host: "127.0.0.1", port: API_PORT };

/** Where an API server is. */
interface ServerPlace {
  readonly host: string;
  readonly port: number;
}

/**
 * A control plane's kubeconfig in a file, leading to the machine's own API server while that answers.
 *
 * As Talos gives it, it leads to KubePrism, which stands before all API servers of the site and looks
 * for each every twenty seconds: one that it has missed a few times it believes in up to a minute
 * after it has come (go-loadbalancer 0.5, upstream.go), as after every start of the machine.
 */
export class LedKubeconfig {
  readonly #path: string;
  readonly #own: ServerPlace;
  readonly #prober = new ApiProber();
  #given = "";
  #written = "";

  /** @param own where the machine's own API server is. */
  constructor(path: string, own = OWN) {
    this.#path = path;
    this.#own = own;
  }

  /** Whether there is one. */
  get isThere(): boolean {
    return this.#given !== "";
  }

  /** Takes another one. @throws what the file system throws. */
  async give(kubeconfig: string): Promise<void> {
    this.#given = kubeconfig;
    await this.lookAnew();
  }

  /** Looks where it should lead: whether it is another one now. @throws what the file system throws. */
  async lookAnew(): Promise<boolean> {
    const given = this.#given;
    const led = await this.#led(given);
    // Another one may have been given meanwhile, and been written.
    if (given !== this.#given || led === this.#written) return false;
    writeFileAtomic(this.#path, led);
    this.#written = led;
    return true;
  }

  async #led(given: string): Promise<string> {
    const { server, ca } = accessIn(given) ?? {};
    const { host, port } = this.#own;
    const ownServer = `https://${hostOf(host)}:${port}`;
    if (server === undefined || ca === undefined || server === ownServer) return given;
    const { kind } = await this.#prober.probe(this.#own, [ca]);
    return kind === "ours" ? given.replaceAll(server, ownServer) : given;
  }
}

/** Whoever uses a kubeconfig says what is wrong with it. */
function accessIn(kubeconfig: string): ClusterAccess | undefined {
  try {
    return accessOf(load(kubeconfig));
  } catch {
    return undefined;
  }
}
