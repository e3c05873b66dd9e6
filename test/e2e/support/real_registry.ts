import assert from "node:assert/strict";
import { hashSync } from "bcryptjs";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import {
  REGISTRY_GID,
  REGISTRY_UID,
  registryDeployment,
  registrySecret,
} from "../../../src/bootstrap/mod.ts";
import { type Credentials, newState } from "../../../src/zarf/mod.ts";
import { eventually } from "./agent.ts";
import { freeAddress } from "../../fakes/free_address.ts";

/** How long the registry may take to answer after its start, in milliseconds. */
const START_TIMEOUT = 60_000;
/** The least cost of bcrypt. */
const CHEAP = 4;

/** What it answered. */
export interface RegistryReply {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A line of its access log. */
export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

interface PodTemplate {
  readonly spec: {
    readonly containers: readonly {
      readonly env: readonly { readonly name: string; readonly value: string }[];
    }[];
  };
}

/**
 * The real registry (distribution v3) without a cluster, but as Holdfast runs it in one: with the
 * configuration, the way of asking who it is and the environment of its objects, as its user, without any
 * capability. Disposing of it ends it; a storage that it was given stays.
 */
export class RealRegistry implements AsyncDisposable {
  /** `http://127.0.0.1:40001` */
  readonly url: string;
  readonly credentials: Credentials;
  readonly #directory: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: Deno.ChildProcess | undefined;

  private constructor(given: string | undefined, env: Readonly<Record<string, string>>) {
    const address = freeAddress();
    this.url = `http://${address}`;
    this.#directory = Deno.makeTempDirSync({ prefix: "holdfast-registry-" });
    Deno.chmodSync(this.#directory, 0o755);
    const storage = given ?? `${this.#directory}/storage`;
    if (given === undefined) {
      Deno.mkdirSync(storage);
      Deno.chownSync(storage, REGISTRY_UID, REGISTRY_GID);
    }
    const state = newState({ registryAddress: address, port: 31_999, ipFamily: "ipv4" });
    const { pushUsername: username, pushPassword: password } = state.registryInfo;
    this.credentials = { username, password };
    const { configData = "" } = registrySecret(state)["stringData"] as Record<string, string>;
    Deno.writeTextFileSync(`${this.#directory}/config.yml`, configData);
    // Not the Secret's own hashes: the registry pays for their cost with every request.
    const hash = hashSync(password, CHEAP);
    Deno.writeTextFileSync(`${this.#directory}/htpasswd`, `${username}:${hash}\n`);
    const deployment = registryDeployment({ image: "registry", storageDir: storage, state });
    const { template } = deployment["spec"] as { readonly template: PodTemplate };
    const own = template.spec.containers[0]?.env.map(({ name, value }) => [name, value]) ?? [];
    this.#env = {
      ...Object.fromEntries(own),
      // What is mounted at these places in the pod, and the pod's own address.
      REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: storage,
      REGISTRY_AUTH_HTPASSWD_PATH: `${this.#directory}/htpasswd`,
      REGISTRY_HTTP_ADDR: address,
      ...env,
    };
  }

  /**
   * Starts it.
   *
   * @param storage a directory that its user can reach. @default one that ends with it
   * @param env beside that of the Deployment.
   */
  static async start(
    storage?: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<RealRegistry> {
    const binary = await ensureTool(TOOLS.registry);
    const registry = new RealRegistry(storage, env);
    try {
      // Its user need not be able to look into the cache.
      Deno.copyFileSync(binary, `${registry.#directory}/registry`);
      const args = registry.#command("serve");
      registry.#child = new Deno.Command("sh", {
        args: ["-c", 'exec "$@" >>"$LOG" 2>&1', "sh", ...args],
        env: { ...registry.#env, LOG: registry.#log },
        stdin: "null",
      }).spawn();
      await eventually(
        "registry's answer",
        async () => await registry.#answers() ? true : undefined,
        START_TIMEOUT,
        () => Promise.resolve(Deno.readTextFileSync(registry.#log)),
      );
    } catch (error) {
      await registry[Symbol.asyncDispose]();
      throw error;
    }
    return registry;
  }

  /** Sends a request as the user that pushes. */
  async ask(method: string, path: string, accept?: string): Promise<RegistryReply> {
    const { username, password } = this.credentials;
    const response = await fetch(`${this.url}/v2/${path}`, {
      method,
      headers: {
        authorization: `Basic ${btoa(`${username}:${password}`)}`,
        ...(accept === undefined ? {} : { accept }),
      },
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, bytes };
  }

  /** All requests that it has answered so far. */
  async requests(): Promise<LoggedRequest[]> {
    // A line is written after its answer: the marker's comes after those of all earlier answers.
    const marker = `/v2/?marker=${crypto.randomUUID()}`;
    await (await fetch(`${this.url}${marker}`)).body?.cancel();
    return await eventually("access log", () => {
      const lines = Deno.readTextFileSync(this.#log).matchAll(
        /"(?<method>[A-Z]+) (?<path>\/\S*) HTTP\/1\.1" (?<status>\d{3})/g,
      );
      const requests = [...lines].map(({ groups }) => ({
        method: groups?.["method"] ?? "",
        path: groups?.["path"] ?? "",
        status: Number(groups?.["status"]),
      }));
      const at = requests.findIndex(({ path }) => path === marker);
      return at < 0 ? undefined : requests.slice(0, at);
    });
  }

  /** Runs `registry garbage-collect` beside it, as its user; gives what that says. */
  async collectGarbage(...flags: readonly string[]): Promise<string> {
    const [program = "", ...args] = this.#command("garbage-collect", ...flags);
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      env: this.#env,
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    assert.equal(code, 0, text.decode(stderr));
    return text.decode(stdout);
  }

  get #log(): string {
    return `${this.#directory}/registry.log`;
  }

  #command(...args: readonly string[]): string[] {
    return [
      "setpriv",
      `--reuid=${REGISTRY_UID}`,
      `--regid=${REGISTRY_GID}`,
      "--clear-groups",
      "--no-new-privs",
      "--bounding-set=-all",
      `${this.#directory}/registry`,
      ...args,
      `${this.#directory}/config.yml`,
    ];
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.ask("GET", "")).status === 200;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child?.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await this.#child?.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}
