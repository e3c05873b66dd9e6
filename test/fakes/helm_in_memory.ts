/**
 * Helm in the place of the child process, for charts of literal templates and an API server in memory:
 * revisions are kept in Secrets as Helm keeps them, objects appear and go, the post-renderer is called.
 * Its errors are in the words of the real Helm 4, which test/e2e runs.
 *
 * @module
 */
import { gzipSync } from "node:zlib";
import { readObjects, runPostRenderer } from "../../src/deploy/mod.ts";
import type { KubeObject } from "../../src/kube/mod.ts";
import type { Exec, ExecOptions, ExecResult } from "../../src/std/mod.ts";
import type { ApiObjects } from "./api_objects.ts";

/** See the module's comment. */
export class HelmInMemory {
  /** Arguments of every call, the verb first. */
  readonly calls: string[][] = [];
  /** Answers in Helm's place where it gives something. */
  intercept: (args: readonly string[]) => ExecResult | undefined | Promise<ExecResult | undefined> =
    () => undefined;
  /** Kinds that a preview does not find. */
  readonly missingKinds = new Set<string>();
  /** Why an object would be refused in a preview. */
  refuses: (object: KubeObject) => string | undefined = () => undefined;
  readonly #api: ApiObjects;
  /** What each revision is, by the name of its Secret. */
  readonly #contents = new Map<string, Content>();

  constructor(api: ApiObjects) {
    this.#api = api;
  }

  /** The verbs and releases of all calls: `upgrade web`. */
  get verbs(): string[] {
    return this.calls.map(([verb = "", first = "", second]) =>
      `${verb} ${verb === "get" ? second : first}`
    );
  }

  /** Runs one command. */
  readonly exec: Exec = async (_, options) => {
    const args = [...options.args ?? []];
    this.calls.push(args);
    if (options.signal?.aborted) return failure("context canceled");
    const instead = await this.intercept(args);
    if (instead !== undefined) return instead;
    const [verb, first = "", second = ""] = args;
    const namespace = args[args.indexOf("--namespace") + 1] ?? "";
    if (verb === "template") return success(render(second));
    if (verb === "preview") return this.#preview(options);
    if (verb === "get") return this.#manifest(second, namespace);
    if (verb === "upgrade" && args.includes("--dry-run=server")) {
      // What it renders to goes where the post-renderer leaves it.
      runPostRenderer(render(second), options.env);
      return success(JSON.stringify(releaseOf(second, "")));
    }
    if (verb === "upgrade") return this.#upgrade(first, second, namespace, options);
    if (verb === "rollback") return this.#rollback(first, Number(second), namespace);
    return failure(`unknown command "${verb}" for "helm"`);
  };

  /** Statuses of a release's revisions, the oldest first. */
  history(release: string): string[] {
    return this.#revisions(release).map(({ metadata }) => metadata.labels?.["status"] ?? "");
  }

  /** Leaves a revision behind, as a Helm does that is killed. */
  leave(release: string, namespace: string, status: string): void {
    this.#keep(release, namespace, { manifest: "" }, status);
  }

  #revisions(release: string): KubeObject[] {
    return this.#api.all("secrets").filter(({ metadata }) =>
      metadata.labels?.["owner"] === "helm" && metadata.labels["name"] === release
    );
  }

  #keep(release: string, namespace: string, content: Content, status: string): void {
    const version = this.#revisions(release).length + 1;
    const name = `sh.helm.release.v1.${release}.v${version}`;
    const labels = { owner: "helm", name: release, status, version: String(version) };
    this.#api.put({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace, labels },
      data: { release: packed(content) },
    });
    this.#contents.set(name, content);
  }

  #supersede(release: string): void {
    for (const secret of this.#revisions(release)) {
      const { labels } = secret.metadata;
      if (labels?.["status"] !== "deployed") continue;
      this.#api.put({
        ...secret,
        metadata: { ...secret.metadata, labels: { ...labels, status: "superseded" } },
      });
    }
  }

  #upgrade(release: string, chart: string, namespace: string, options: ExecOptions): ExecResult {
    if (this.history(release).some((status) => status.startsWith("pending-"))) {
      return failure(
        "UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
      );
    }
    if (this.#api.find("namespaces", namespace) === undefined) {
      return failure(`create: failed to create: namespaces "${namespace}" not found`);
    }
    let manifest: string;
    try {
      manifest = runPostRenderer(render(chart), options.env);
    } catch {
      return failure('error while running post render on files: plugin "holdfast" exited');
    }
    this.#apply(manifest, release, namespace);
    this.#supersede(release);
    this.#keep(release, namespace, releaseOf(chart, manifest), "deployed");
    return success(`Release "${release}" has been upgraded. Happy Helming!\n`);
  }

  #rollback(release: string, revision: number, namespace: string): ExecResult {
    const content = this.#contents.get(`sh.helm.release.v1.${release}.v${revision}`);
    if (content === undefined) return failure(`release has no ${revision} version`);
    this.#apply(content.manifest, release, namespace);
    this.#supersede(release);
    this.#keep(release, namespace, content, "deployed");
    return success("Rollback was a success! Happy Helming!\n");
  }

  /** What the upgrade would do, as `helm preview` of `extension/tools/helm` says it. */
  #preview(options: ExecOptions): ExecResult {
    const { release, namespace, chart } = JSON.parse(String(options.stdin));
    let manifest: string;
    try {
      manifest = runPostRenderer(render(chart), options.env);
    } catch {
      return failure('error while running post render on files: plugin "holdfast" exited');
    }
    const last = this.#revisions(release).findLast(({ metadata }) =>
      metadata.labels?.["status"] === "deployed"
    );
    const targets = this.#objects(manifest, release, namespace);
    const content = this.#contents.get(last?.metadata.name ?? "");
    const earlier = this.#objects(content?.manifest ?? "", release, namespace);
    const deleted = earlier.filter((one) =>
      this.#api.like(one) !== undefined && !targets.some((other) => isSame(one, other))
    );
    const named = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject) => ({
      ...{ role: "object", apiVersion, kind, name, namespace },
    });
    return success(JSON.stringify({
      action: last === undefined ? "install" : "upgrade",
      revision: Number(last?.metadata.labels?.["version"] ?? 0),
      pending: [],
      objects: [
        ...targets.map((target) => this.#asked(target, namespace, named(target))),
        ...deleted.map((one) => ({ ...named(one), before: this.#api.like(one) })),
      ],
    }));
  }

  #asked(target: KubeObject, namespace: string, named: object): object {
    if (this.missingKinds.has(target.kind)) return { ...named, notAsked: "kind" };
    const refused = this.refuses(target);
    if (refused !== undefined) return { ...named, target, refused };
    if (this.#api.find("namespaces", namespace) === undefined) {
      return { ...named, target, notAsked: "namespace" };
    }
    return { ...named, target, before: this.#api.like(target), after: target };
  }

  #manifest(release: string, namespace: string): ExecResult {
    const last = this.#revisions(release).findLast((one) => one.metadata.namespace === namespace);
    return last === undefined
      ? failure("release: not found")
      : success(this.#contents.get(last.metadata.name ?? "")?.manifest ?? "");
  }

  #apply(manifest: string, release: string, namespace: string): void {
    for (const object of this.#objects(manifest, release, namespace)) this.#api.put(object);
  }

  #objects(manifest: string, release: string, namespace: string): KubeObject[] {
    return readObjects(manifest).map((object) => {
      const metadata = {
        namespace,
        ...object.metadata,
        labels: { ...object.metadata.labels, "app.kubernetes.io/managed-by": "Helm" },
        annotations: {
          ...object.metadata.annotations,
          "meta.helm.sh/release-name": release,
          "meta.helm.sh/release-namespace": namespace,
        },
      };
      return { ...object, metadata } as KubeObject;
    });
  }
}

/** What Helm keeps of a revision. */
interface Content {
  readonly manifest: string;
  readonly [field: string]: unknown;
}

/** The release that a chart of literal templates makes; documents with hooks are told apart. */
function releaseOf(chart: string, rendered: string): Content {
  const documents = rendered.split(/^---\n/m).filter((text) => text.trim() !== "");
  const isHook = (text: string) => text.includes("helm.sh/hook");
  const hooks = documents.filter(isHook).map((manifest) => ({
    manifest,
    events: readObjects(manifest).flatMap(({ metadata }) =>
      String(metadata.annotations?.["helm.sh/hook"]).split(",")
    ),
  }));
  const manifest = documents.filter((text) => !isHook(text)).map((text) => `---\n${text}`).join("");
  const metadata = JSON.parse(Deno.readTextFileSync(`${chart}/Chart.yaml`));
  return { manifest, hooks, chart: { metadata }, apply_method: "ssa" };
}

/** As Helm's driver for Secrets writes it: JSON, compressed, in base64, in a Secret's base64. */
function packed(content: Content): string {
  const text = gzipSync(JSON.stringify(content)).toBase64();
  return new TextEncoder().encode(text).toBase64();
}

/** Helm's end with code 1 and this error. */
export function failure(error: string): ExecResult {
  return { code: 1, timedOut: false, stdout: "", stderr: `Error: ${error}\n` };
}

/** Helm's end with code 0 and this output. */
export function success(stdout = ""): ExecResult {
  return { code: 0, timedOut: false, stdout, stderr: "" };
}

function isSame(one: KubeObject, other: KubeObject): boolean {
  return one.kind === other.kind && one.metadata.name === other.metadata.name;
}

/** The texts of a chart's literal templates. */
function render(chart: string): string {
  const names = [...Deno.readDirSync(`${chart}/templates`)].map(({ name }) => name).sort();
  return names.map((name) => {
    const template = Deno.readTextFileSync(`${chart}/templates/${name}`);
    return `---\n${JSON.parse(template.slice(2, -2))}\n`;
  }).join("");
}
