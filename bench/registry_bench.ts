import { ensureTool, TOOLS } from "../extension/build/go_tools.ts";
import { describeError, type Digest } from "../src/std/mod.ts";
import { type RunningAgent, startLocalAgent } from "../test/demo/agent.ts";
import { memoryOf } from "../test/demo/memory.ts";
import { nodeProgram } from "../test/demo/program.ts";
import { followVerdict } from "../test/demo/verdict.ts";
import { sha256, writePackage } from "../test/fixtures/make_package.ts";
import { findProgram, runProgram } from "./programs.ts";
import {
  blobPath,
  layRegistry,
  type PeerServer,
  startDistribution,
  startNginx,
} from "./servers.ts";
import type { Benchmark, Case, Preparation, Prepared, Side } from "./types.ts";

const REPOSITORY = "library/bench";
const BLOBS = 4;
const SET_BYTES = 1 << 30;
const QUICK_BYTES = 32 << 20;
const MIB = 2 ** 20;

/** How many clients pull at once, and the targets of design.md §7. */
const LOADS = [
  { clients: 1, name: "one client", targets: [{ peer: "registry:3", ratio: 1 }] },
  { clients: 4, name: "four clients", targets: [{ peer: "nginx", ratio: 0.8 }] },
] as const;

/** The node registry against distribution and nginx. */
export const benchmark: Benchmark = {
  name: "registry",
  what:
    "Clients (curl) pull 1 GiB in four blobs over loopback, one blob after the other, from the" +
    " page cache; all servers have the very same files. Bytes of all clients per second.",
  peers: ["registry:3", "nginx"],
  unit: "GB/s",
  higherIsBetter: true,
  prepare,
};

/** A server and where it has a blob. */
interface Server {
  readonly name: string;
  readonly urlOf: (digest: Digest) => string;
}

/** The layers of the package that all servers serve. */
interface Layer {
  readonly size: number;
  readonly seed: number;
}

async function prepare(preparation: Preparation): Promise<Prepared> {
  const { directory, quick } = preparation;
  const bytes = quick ? QUICK_BYTES : SET_BYTES;
  const layers = Array.from({ length: BLOBS }, (_, at) => ({ size: bytes / BLOBS, seed: at + 1 }));
  const digests = layers.map((layer): Digest => `sha256:${sha256(layer)}`);
  await using stack = new AsyncDisposableStack();
  const agent = stack.use(await startOurs(directory, layers, preparation));
  const servers = [{ name: "holdfast", urlOf: registryBlobs(agent.registryUrl) }];
  const missing: string[] = [];
  const blobs = `${agent.dataDir}/blobs/sha256`;
  for (const peer of [distributionPeer, nginxPeer]) {
    const started = await peer(directory, blobs, digests, preparation);
    if (typeof started === "string") missing.push(started);
    else servers.push(stack.use(started));
  }
  const kept = stack.move();
  return {
    cases: casesOf(servers, digests, bytes),
    missing,
    figures: () => [{
      name: "peak resident memory of the agent",
      value: `${Math.round(memoryOf(agent.pid).peakBytes / MIB)} MiB`,
    }],
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** An agent that has taken in a package with these layers. */
async function startOurs(
  directory: string,
  layers: readonly Layer[],
  { say, signal }: Preparation,
): Promise<RunningAgent> {
  const program = await nodeProgram(say);
  const agent = await startLocalAgent({ program, directory, nodeName: "bench", signal });
  try {
    say("making a package and having it taken in");
    const file = `${agent.dropDir}/zarf-package-bench.tar`;
    await writePackage(`${directory}/made.tar`, {
      name: "bench",
      architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
      format: "tar",
      images: [{ reference: `docker.io/${REPOSITORY}:1`, layers }],
    });
    await Deno.rename(`${directory}/made.tar`, file);
    await followVerdict(agent, file, { until: "Accepted", tell() {}, signal });
    await Deno.remove(file);
    return agent;
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    throw error;
  }
}

type Peer = (
  directory: string,
  blobs: string,
  digests: readonly Digest[],
  preparation: Preparation,
) => Promise<(PeerServer & Server) | string>;

const distributionPeer: Peer = async (directory, blobs, digests, { say, signal }) => {
  const root = `${directory}/distribution`;
  try {
    const binary = await ensureTool(TOOLS.registry, say);
    await layRegistry(blobs, root, REPOSITORY, digests);
    const server = await startDistribution(binary, root, `${directory}/config.yml`, signal);
    return { ...server, name: "registry:3", urlOf: registryBlobs(server.url) };
  } catch (error) {
    signal.throwIfAborted();
    return `registry:3 (${describeError(error)})`;
  }
};

const nginxPeer: Peer = async (directory, blobs, _digests, { signal }) => {
  const nginx = findProgram("nginx");
  if (nginx === undefined) return "nginx (install it: apt-get install -y nginx-light)";
  const server = await startNginx(nginx, blobs, `${directory}/nginx`, signal);
  return { ...server, name: "nginx", urlOf: (digest) => `${server.url}/${blobPath(digest)}` };
};

function registryBlobs(url: string): (digest: Digest) => string {
  return (digest) => `${url}/v2/${REPOSITORY}/blobs/${digest}`;
}

function casesOf(servers: readonly Server[], digests: readonly Digest[], bytes: number): Case[] {
  return LOADS.map(({ clients, name, targets }) => {
    const sides = servers.map((server): Side => ({
      name: server.name,
      run: (signal) => pull(server, digests, bytes, clients, signal),
    }));
    const [ours, ...peers] = sides;
    if (ours === undefined) throw new Error("there is no server");
    return { name, sides: [ours, ...peers], targets };
  });
}

/** Has all clients pull all blobs. @returns GB/s of all of them. */
async function pull(
  server: Server,
  digests: readonly Digest[],
  bytes: number,
  clients: number,
  signal: AbortSignal,
): Promise<number> {
  const args = digests.flatMap((digest) => ["-o", "/dev/null", server.urlOf(digest)]);
  const format = ["-w", "%{size_download}\n"];
  const started = performance.now();
  const said = await Promise.all(
    Array.from({ length: clients }, () => runProgram("curl", ["-sSf", ...format, ...args], signal)),
  );
  const seconds = (performance.now() - started) / 1_000;
  const received = said.join("").trim().split("\n").reduce((sum, size) => sum + Number(size), 0);
  if (received !== bytes * clients) {
    throw new Error(`${server.name} sent ${received} bytes instead of ${bytes * clients}`);
  }
  return received / seconds / 1e9;
}
