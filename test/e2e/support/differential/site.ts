import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../../extension/build/go_tools.ts";
import { KubeClient } from "../../../../src/kube/mod.ts";
import { Cluster } from "../../../cluster/mod.ts";
import { HELLO, TestAgent } from "../agent.ts";

/** Milliseconds that one deployment by the real zarf may take. */
const ZARF_TIMEOUT = 360_000;
const ZARF_DIRECTORY = "/var/zarf";
const ADMIN = "/etc/kubernetes/admin.conf";

/** A package file, and what lies beside it. */
export interface MadePackage {
  readonly file: string;
  /** Unique among all that are deployed. */
  readonly name: string;
  readonly config?: string;
  /** By name: values files that the config names. */
  readonly beside: Readonly<Record<string, string>>;
}

/**
 * A fresh cluster with what `zarf init` would have made, made by Holdfast: registry, state, webhook
 * and what answers the pulls. Packages are deployed by one of the two.
 */
export class Site implements AsyncDisposable {
  private constructor(
    readonly cluster: Cluster,
    readonly agent: TestAgent,
    readonly kube: KubeClient,
  ) {}

  static async up(name: string): Promise<Site> {
    const cluster = await Cluster.up({ name });
    try {
      const [node] = cluster.nodes;
      assert.ok(node);
      const agent = new TestAgent(node);
      await agent.start();
      const verdict = await agent.settled(await agent.drop(HELLO));
      assert.equal(verdict.phase, "Ready", verdict.message);
      return new Site(cluster, agent, KubeClient.fromKubeconfig(cluster.kubeconfig()));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `zarf package deploy --confirm` in the node; gives what it said when it failed. */
  async deployWithZarf({ file, name, config, beside }: MadePackage): Promise<string | undefined> {
    const { node } = this.agent;
    const directory = `${ZARF_DIRECTORY}/${name}`;
    const host = node.hostPath(directory);
    await Deno.mkdir(`${host}/tmp`, { recursive: true });
    await Deno.copyFile(file, `${host}/package.tar.zst`);
    for (const [path, text] of Object.entries({ ...beside, "config.yaml": config ?? "{}\n" })) {
      await Deno.writeTextFile(`${host}/${path}`, text);
    }
    const args = ["package", "deploy", "package.tar.zst", "--confirm", "--no-color"];
    const command = [await ensureTool(TOOLS.zarf), ...args, `--tmpdir=${directory}/tmp`];
    const { code, stdout, stderr } = await node.exec(
      "sh",
      ["-c", `cd ${directory} && exec "$@"`, "sh", ...command],
      {
        timeout: ZARF_TIMEOUT,
        env: { KUBECONFIG: ADMIN, HOME: directory, ZARF_CONFIG: `${directory}/config.yaml` },
      },
    );
    await Deno.remove(host, { recursive: true });
    return code === 0 ? undefined : stdout + stderr;
  }

  /** Drops it; gives what the verdict says when it failed. */
  async deployWithHoldfast(made: MadePackage): Promise<string | undefined> {
    const dropped = `${made.name}.tar.zst`;
    const beside = { ...made.beside };
    if (made.config !== undefined) beside[`${dropped}.config.yaml`] = made.config;
    for (const [path, text] of Object.entries(beside)) {
      await Deno.writeTextFile(this.agent.hostPath(`/var/drop/${path}`), text);
    }
    const { phase, message } = await this.agent.settled(
      await this.agent.drop(made.file, dropped),
    );
    return phase === "Ready" ? undefined : `${phase}: ${message}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kube.close();
    await this.cluster[Symbol.asyncDispose]();
  }
}
