/**
 * What tests of whole deployments work with.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  type DeployContext,
  DeployError,
  type DeployPackage,
  deployPackage,
  type JournalLine,
} from "../../src/deploy/mod.ts";
import { exec } from "../../src/std/mod.ts";
import { loadPackage, newState, saveState } from "../../src/zarf/mod.ts";
import { writePackage } from "../e2e/support/deploy_fixture.ts";
import { ApiObjects, namespace } from "./api_objects.ts";
import { HelmInMemory } from "./helm_in_memory.ts";
import { loggerOf, TestClock } from "./testing.ts";

type Json = Record<string, unknown>;

/** A cluster, a Helm and a journal that outlives a deployment; commands run for real. */
export class DeploySite implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly helm = new HelmInMemory(this.api);
  readonly dir = Deno.makeTempDirSync({ prefix: "holdfast local " });
  readonly lines: JournalLine[] = [];
  readonly log: string[];
  readonly #logger;

  constructor() {
    const { logger, lines } = loggerOf("info");
    this.#logger = logger;
    this.log = lines;
    this.api.put(namespace("zarf"));
  }

  static async ready<Site extends DeploySite>(this: new () => Site): Promise<Site> {
    const site = new this();
    const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
    await saveState(site.api.client, newState({ ...address, ipFamily: "ipv4" }));
    site.api.writes.length = 0;
    return site;
  }

  /**
   * A package of components that each have a manifest of their name, and files of theirs.
   *
   * @param more of the definition
   */
  package(
    components: readonly Json[],
    files: Readonly<Record<string, string>> = {},
    more: Json = {},
  ) {
    const manifests = Object.fromEntries(components.map(({ name }) => [
      `components/${name}/manifests/m-0.yaml`,
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n` +
      `data: {value: "###ZARF_VAR_V###"}\n`,
    ]));
    return writePackage(this.dir, {
      definition: {
        metadata: { name: "shop", version: "1" },
        components: components.map((component) => ({
          required: true,
          manifests: [{ name: "m", namespace: "shop", files: ["m.yaml"] }],
          ...component,
        })),
        ...more,
      },
      files: { ...manifests, ...files },
    });
  }

  deploy(pkg: DeployPackage, more: Partial<DeployContext> = {}) {
    return deployPackage(pkg, this.context(more));
  }

  context(more: Partial<DeployContext> = {}): DeployContext {
    return {
      kube: this.api.client,
      dataDir: this.dir,
      kubeconfig: "/kubeconfig",
      tools: {
        helm: `${this.dir}/tools/helm`,
        postRenderer: { command: "/holdfast", args: ["post-render"] },
      },
      timeout: 30_000,
      clock: new TestClock(),
      exec: (command, options) =>
        command.endsWith("/helm") ? this.helm.exec(command, options) : exec(command, options),
      actions: { policy: "always", trusted: false },
      journal: {
        append: (line) => void this.lines.push(structuredClone(line)),
        lines: () => this.lines,
      },
      logger: this.#logger,
      ...more,
    };
  }

  async failure(pkg: DeployPackage, more: Partial<DeployContext> = {}): Promise<DeployError> {
    try {
      await this.deploy(pkg, more);
    } catch (error) {
      assert.ok(error instanceof DeployError, String(error));
      return error;
    }
    assert.fail("it succeeded");
  }

  /** Lines that actions wrote outside of their directory, which goes away. */
  said(): string[] {
    try {
      return Deno.readTextFileSync(`${this.dir}/said`).trim().split("\n");
    } catch {
      return [];
    }
  }

  /** An action that says something. */
  say(text: string, then = "true"): Json {
    return { cmd: `echo "${text}" >> '${this.dir}/said'; ${then}` };
  }

  async recorded(): Promise<string[]> {
    const record = await loadPackage(this.api.client, "shop");
    return (record?.deployedComponents ?? []).map(({ name, status, observedGeneration }) =>
      `${name} ${status} ${observedGeneration}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    Deno.removeSync(this.dir, { recursive: true });
  }
}
