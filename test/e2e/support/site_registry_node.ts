import assert from "node:assert/strict";
import { hashSync } from "bcryptjs";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import type { ClusterNode, NodeProcess } from "../../cluster/mod.ts";
import { siteCertificate } from "../../fakes/site_registry.ts";
import { eventually } from "./agent.ts";

/** The least cost of bcrypt. */
const CHEAP = 4;
const START_TIMEOUT = 60_000;
const PUSH = { username: "site-push", password: "push-geheim" };
const PULL = { username: "site-pull", password: "pull-geheim" };
const PORT = 5443;
const DIRECTORY = "/var/tmp/site-registry";

/**
 * A registry that a site has beside its cluster: the real distribution on a node's address, with a
 * password and a certificate that the node and its containerd trust; images lie below `team/`. It ends
 * with the node.
 */
export class SiteRegistryNode {
  readonly #node: ClusterNode;
  #process: NodeProcess | undefined;
  #starts = 0;

  private constructor(node: ClusterNode) {
    this.#node = node;
  }

  /** Starts it, and has the node trust it. */
  static async start(node: ClusterNode): Promise<SiteRegistryNode> {
    const registry = new SiteRegistryNode(node);
    await registry.#configure();
    await registry.run();
    return registry;
  }

  /** `10.88.0.11:5443/team`, as `zarf init --registry-url` is told it. */
  get address(): string {
    return `${this.#host}/team`;
  }

  /** What `zarf init` is told of it. */
  zarfFlags(): string[] {
    return [
      `--registry-url=${this.address}`,
      `--registry-push-username=${PUSH.username}`,
      `--registry-push-password=${PUSH.password}`,
      `--registry-pull-username=${PULL.username}`,
      `--registry-pull-password=${PULL.password}`,
    ];
  }

  /** Starts it again with what it had, and waits until it answers. */
  async run(): Promise<void> {
    const binary = await ensureTool(TOOLS.registry);
    const process = await this.#node.spawn(binary, ["serve", `${DIRECTORY}/config.yml`], {
      name: `site-registry-${++this.#starts}`,
      env: { OTEL_TRACES_EXPORTER: "none" },
    });
    this.#process = process;
    await eventually(
      "answer of the site's registry",
      async () => (await this.#ask("/v2/").catch(() => undefined)) === 200 ? true : undefined,
      START_TIMEOUT,
      () => Deno.readTextFile(process.logPath),
    );
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.#process?.kill("SIGTERM");
    await this.#process?.status;
  }

  /** Whether it has an image below `team/`. */
  async has(repository: string, tag: string): Promise<boolean> {
    return await this.#ask(`/v2/team/${repository}/manifests/${tag}`) === 200;
  }

  /** Requests so far that were to change something. */
  async writes(): Promise<string[]> {
    const logs = Array.from({ length: this.#starts }, (_, at) => `site-registry-${at + 1}`);
    const texts = await Promise.all(
      logs.map((name) => Deno.readTextFile(this.#node.logPath(name))),
    );
    return texts.flatMap((text) => text.match(/"(?:PUT|POST|PATCH|DELETE) \S+/g) ?? []);
  }

  get #host(): string {
    return `${this.#node.ip}:${PORT}`;
  }

  async #ask(path: string): Promise<number> {
    const authority = await Deno.readTextFile(this.#node.hostPath(`${DIRECTORY}/ca.crt`));
    using client = Deno.createHttpClient({ caCerts: [authority] });
    const response = await fetch(`https://${this.#host}${path}`, {
      client,
      headers: {
        authorization: `Basic ${btoa(`${PULL.username}:${PULL.password}`)}`,
        accept: "application/vnd.oci.image.manifest.v1+json",
      },
    });
    await response.body?.cancel();
    return response.status;
  }

  async #configure(): Promise<void> {
    const node = this.#node;
    const directory = node.hostPath(DIRECTORY);
    await Deno.mkdir(directory);
    const { authority } = await siteCertificate(directory, node.ip);
    const lines = [PUSH, PULL].map(({ username, password }) =>
      `${username}:${hashSync(password, CHEAP)}\n`
    );
    await Deno.writeTextFile(`${directory}/htpasswd`, lines.join(""));
    await Deno.writeTextFile(`${directory}/config.yml`, this.#config());
    const hosts = `/etc/cri/conf.d/hosts/${this.#host}`;
    const script = [
      `mkdir -p ${hosts}`,
      `cp ${DIRECTORY}/ca.crt ${hosts}/ca.crt`,
      `printf 'server = "https://${this.#host}"\\nca = "${hosts}/ca.crt"\\n' >${hosts}/hosts.toml`,
      "mkdir -p /etc/ssl/certs",
      `cat ${DIRECTORY}/ca.crt >>/etc/ssl/certs/ca-certificates.crt`,
    ];
    assert.equal(authority, `${directory}/ca.crt`);
    const { code, stderr } = await node.exec("sh", ["-ec", script.join("\n")]);
    assert.equal(code, 0, stderr);
  }

  #config(): string {
    return JSON.stringify({
      version: 0.1,
      log: { level: "error", accesslog: { disabled: false } },
      storage: { filesystem: { rootdirectory: `${DIRECTORY}/data` } },
      auth: { htpasswd: { realm: "site", path: `${DIRECTORY}/htpasswd` } },
      http: {
        addr: this.#host,
        tls: { certificate: `${DIRECTORY}/site.crt`, key: `${DIRECTORY}/site.key` },
      },
    });
  }
}
