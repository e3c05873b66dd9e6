import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import type { Cluster } from "../../cluster/mod.ts";
import { DATA_DIR, type TestAgent } from "./agent.ts";
import { SWEEP_ROOT } from "./sweep_package.ts";

/** A line of the journal: `begin component/a`. */
export type Line = `${"started" | "done" | "failed"} ${string}`;

/** What of a package's deployments must be the same whatever happened on the way. */
export interface SweepState {
  readonly objects: readonly string[];
  readonly record: unknown;
  /** Content, mode and target of links by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly git: readonly string[];
  /** Status and content of what is deployed, by release. */
  readonly releases: Readonly<Record<string, string>>;
}

/** Kinds that a package of the sweep makes, beside what Kubernetes makes of them. */
const KINDS = ["configmaps", "deployments", "jobs", "things.NAME.example"];
/** What Kubernetes writes into every object. */
const ASSIGNED = new Set([
  ...["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"],
  ...["batch.kubernetes.io/controller-uid", "controller-uid"],
]);

/** Reads what a package `name` has left; the name itself is `NAME`. */
export async function sweepState(
  cluster: Cluster,
  agent: TestAgent,
  name: string,
  repository: string,
) {
  // The releases of manifests carry the package's name hashed.
  const general = (text: string) =>
    text.replaceAll(name, "NAME").replaceAll(/zarf-[0-9a-f]{40}/g, "zarf-HASH");
  const kubectl = async (...args: string[]) =>
    JSON.parse(await cluster.kubectl([...args, "-o", "json"]));
  const kinds = KINDS.map((kind) => kind.replace("NAME", name)).join();
  const { items } = await kubectl("get", kinds, "-n", name);
  const namespace = await kubectl("get", "namespace", name);
  const state: SweepState = {
    objects: [...items, namespace].map((item) => general(JSON.stringify(bare(item)))).sort(),
    record: JSON.parse(
      general(recordText(await kubectl("get", "secret", "-n", "zarf", `zarf-package-${name}`))),
    ),
    files: filesBelow(agent.hostPath(`${SWEEP_ROOT}/${name}`), general),
    git: await references(agent, repository),
    releases: Object.fromEntries(
      [...await revisions(cluster, name)].map((
        [release, { content }],
      ) => [release, general(content)]),
    ),
  };
  return state;
}

/** An object without what is assigned to it, and without what it is by now. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => !ASSIGNED.has(key) && key !== "status")
      .map(([key, inner]) => [key, bare(inner)]),
  );
}

function recordText(secret: { readonly data: { readonly data: string } }): string {
  const record = JSON.parse(atob(secret.data.data));
  delete record.data.build;
  // Of what has the package's name in it.
  delete record.data.metadata.aggregateChecksum;
  assert.match(record.digest, /^sha256:/);
  delete record.digest;
  return JSON.stringify(record);
}

function filesBelow(
  root: string,
  general: (text: string) => string,
  below = "",
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name } of Deno.readDirSync(`${root}${below}`)) {
    if (name.startsWith("runs-")) continue;
    const path = `${root}${below}/${name}`;
    const { isSymlink, isDirectory, mode } = Deno.lstatSync(path);
    const rights = ((mode ?? 0) & 0o777).toString(8);
    if (isSymlink) found[`${below}/${name}`] = general(Deno.readLinkSync(path));
    else if (isDirectory) Object.assign(found, filesBelow(root, general, `${below}/${name}`));
    else found[`${below}/${name}`] = `${rights} ${Deno.readTextFileSync(path)}`;
  }
  return found;
}

/** Branches and tags that are served of a repository. */
async function references(agent: TestAgent, repository: string): Promise<string[]> {
  const directory = `${DATA_DIR}/git/${repository}.git`;
  const args = ["-c", "safe.directory=*", "--git-dir", directory, "for-each-ref"];
  const { code, stdout, stderr } = await agent.node.exec("git", args);
  assert.equal(code, 0, stderr);
  return stdout.trim().split("\n").filter((line) => /refs\/(heads|tags)\//.test(line));
}

/** Of each release of a namespace how many revisions there were, and what is deployed. */
export async function revisions(cluster: Cluster, namespace: string) {
  const selector = ["-n", namespace, "-l", "owner=helm", "-o", "json"];
  const { items } = JSON.parse(await cluster.kubectl(["get", "secrets", ...selector]));
  const found = new Map<string, { count: number; content: string }>();
  for (const { metadata: { labels }, data } of items) {
    const name = `${labels.name}`.replace(namespace, "NAME").replace(/^zarf-[0-9a-f]{40}$/, "raw");
    const { chart, manifest } = await unpacked(data.release);
    const release = `${name} ${chart.metadata.name}`.replace(namespace, "NAME");
    const before = found.get(release) ?? { count: 0, content: "none is deployed" };
    found.set(release, {
      count: Math.max(before.count, Number(labels.version)),
      content: labels.status === "deployed"
        ? digest(manifest.replaceAll(namespace, "NAME"))
        : before.content,
    });
  }
  return found;
}

async function unpacked(data: string) {
  const gzip = Uint8Array.fromBase64(atob(data));
  const stream = new Blob([gzip]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).json();
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The journals of all versions of a package, in order. */
export function journalOf(agent: TestAgent, name: string): Line[][] {
  using database = new DatabaseSync(`${agent.hostPath(DATA_DIR)}/holdfast.db`, { readOnly: true });
  const packages = database.prepare(
    "SELECT packages.digest FROM packages JOIN owners ON owner = digest WHERE name = ? ORDER BY sequence",
  ).all(name) as { digest: string }[];
  return packages.map(({ digest }) =>
    database.prepare("SELECT step, state FROM journal WHERE owner = ? ORDER BY id").all(digest)
      .map((row) => `${row["state"]} ${row["step"]}` as Line)
  );
}

/** What actions have said, in order, of one version. */
export function runsOf(agent: TestAgent, name: string, version: number): string[] {
  const text = Deno.readTextFileSync(agent.hostPath(`${SWEEP_ROOT}/${name}/runs-${version}`));
  return text.trimEnd().split("\n");
}

/** What nothing may be left of when a deployment has ended: processes, temporary files. */
export async function leftovers(agent: TestAgent, name: string): Promise<string[]> {
  const script = "grep -l -z '^HOLDFAST_ACTION=' /proc/[0-9]*/environ 2>/dev/null; true";
  const { stdout } = await agent.node.exec("sh", ["-c", script]);
  const temporary = [...Deno.readDirSync(agent.hostPath(`${DATA_DIR}/tmp`))].map(({ name }) =>
    `tmp/${name}`
  );
  const unfinished = Object.keys(filesBelow(agent.hostPath(`${SWEEP_ROOT}/${name}`), String))
    .filter((path) => path.endsWith(".tmp"));
  return [...stdout.split("\n").filter(Boolean), ...temporary, ...unfinished];
}
