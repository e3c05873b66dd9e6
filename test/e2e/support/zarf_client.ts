/**
 * The real zarf as somebody has it on a laptop: with a kubeconfig of the administrator, and nothing
 * else of the cluster.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import type { Cluster } from "../../cluster/mod.ts";
import { eventually } from "./agent.ts";
import { zarf, type ZarfAnswer } from "./zarf.ts";

/** One row of `zarf package list -o json`. */
export interface ListedPackage {
  readonly package: string;
  readonly namespaceOverride: string;
  readonly version: string;
  readonly connectivity: string;
  readonly components: readonly string[];
}

/** One row of `zarf tools get-creds -o json`. */
export interface ListedCredentials {
  readonly application: string;
  readonly username: string;
  readonly password: string;
  readonly getCredsKey: string;
}

/** What `zarf connect` leads to, until it is disposed of. */
export interface Connection extends AsyncDisposable {
  /** As zarf says it, the Service's own path at its end. */
  readonly url: string;
}

/** How long a connection may take, in milliseconds. */
const CONNECT_TIMEOUT = 120_000;

/** Somebody who uses the real zarf from outside the cluster. */
export class ZarfClient {
  readonly #env: Readonly<Record<string, string>>;

  /** @param home a directory of its own. */
  constructor(cluster: Cluster, readonly home: string) {
    this.#env = { KUBECONFIG: cluster.kubeconfig(), HOME: home };
  }

  /** Runs zarf to its end, whatever that is. */
  ask(...args: readonly string[]): Promise<ZarfAnswer> {
    return zarf(args, this.home, this.#env);
  }

  /** Runs zarf, which must succeed, and gives what it printed. */
  async run(...args: readonly string[]): Promise<string> {
    const { ok, output, text } = await this.ask(...args);
    assert(ok, `zarf ${args.join(" ")}:\n${text}`);
    return output;
  }

  /** What is deployed. */
  async packages(): Promise<ListedPackage[]> {
    return JSON.parse(await this.run("package", "list", "-o", "json"));
  }

  /** Deploys a package file. */
  async deploy(file: string, ...more: readonly string[]): Promise<void> {
    await this.run("package", "deploy", file, "--confirm", "--timeout=120s", ...more);
  }

  /** The credentials of a key, such as `registry`. */
  async credentials(key: string): Promise<ListedCredentials> {
    const all: ListedCredentials[] = JSON.parse(await this.run("tools", "get-creds", "-o", "json"));
    return all.find((one) => one.getCredsKey === key) ?? assert.fail(`${key}: no credentials`);
  }

  /** Has `zarf connect` open a tunnel. */
  async connect(name: string): Promise<Connection> {
    const child = new Deno.Command(await ensureTool(TOOLS.zarf), {
      args: ["connect", name, "--no-color", "--log-format=json"],
      env: { ...this.#env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "";
    const reading = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said += text;
    })();
    const close = async () => {
      try {
        child.kill("SIGINT");
      } catch {
        // It has ended already.
      }
      await child.status;
      await reading;
    };
    try {
      const url = await eventually(
        `tunnel to ${name}`,
        () => /"urls":"(http:[^"]+)"/.exec(said)?.[1],
        CONNECT_TIMEOUT,
        () => Promise.resolve(said),
      );
      return { url, [Symbol.asyncDispose]: close };
    } catch (error) {
      await close();
      throw error;
    }
  }
}
