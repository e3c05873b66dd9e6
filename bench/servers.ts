import { type Digest, digestHex, HoldfastError } from "../src/std/mod.ts";
import { freeAddress } from "../test/fakes/free_address.ts";

/** A server that a benchmark compares with; disposing of it ends it. */
export interface PeerServer extends AsyncDisposable {
  /** `http://127.0.0.1:40001` */
  readonly url: string;
}

/** A server did not start. */
export class ServerError extends HoldfastError<"ServerSilent"> {}

/** Milliseconds until a server must answer. */
const START_TIMEOUT = 10_000;
const POLL_INTERVAL = 50;

/** Where the store keeps a blob below `blobs/sha256`. */
export function blobPath(digest: Digest): string {
  const hex = digestHex(digest);
  return `${hex.slice(0, 2)}/${hex}`;
}

/**
 * Lays blobs into distribution's storage without a copy: the files are hard links, and the links of
 * a repository say that it has them (distribution v3, registry/storage/paths.go).
 */
export async function layRegistry(
  blobs: string,
  root: string,
  repository: string,
  digests: readonly Digest[],
): Promise<void> {
  const base = `${root}/docker/registry/v2`;
  for (const digest of digests) {
    const data = `${base}/blobs/sha256/${blobPath(digest)}`;
    const link = `${base}/repositories/${repository}/_layers/sha256/${digestHex(digest)}`;
    await Deno.mkdir(data, { recursive: true });
    await Deno.mkdir(link, { recursive: true });
    await Deno.link(`${blobs}/${blobPath(digest)}`, `${data}/data`);
    await Deno.writeTextFile(`${link}/link`, digest);
  }
}

/** Starts distribution v3 with `root` as its storage, set up as its image is, without logs. */
export async function startDistribution(
  binary: string,
  root: string,
  config: string,
  signal: AbortSignal,
): Promise<PeerServer> {
  const address = freeAddress();
  await Deno.writeTextFile(config, distributionConfig(root, address));
  const env = { OTEL_TRACES_EXPORTER: "none" };
  return await startServer(binary, ["serve", config], env, `http://${address}`, "/v2/", signal);
}

function distributionConfig(root: string, address: string): string {
  return `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: ${root}}
http: {addr: "${address}"}
`;
}

/** Starts nginx with `root` as its files, as many workers as processors, without logs. */
export async function startNginx(
  nginx: string,
  root: string,
  directory: string,
  signal: AbortSignal,
): Promise<PeerServer> {
  const address = freeAddress();
  await Deno.mkdir(directory, { recursive: true });
  const config = `${directory}/nginx.conf`;
  await Deno.writeTextFile(config, nginxConfig(root, directory, address));
  const args = ["-c", config, "-p", directory, "-e", `${directory}/error.log`];
  return await startServer(nginx, args, {}, `http://${address}`, "/alive", signal);
}

function nginxConfig(root: string, directory: string, address: string): string {
  // As root it would give its workers to another user, who may not read the blobs.
  const user = Deno.uid() === 0 ? "user root;" : "";
  return `${user} worker_processes auto; daemon off; pid ${directory}/nginx.pid;
events {}
http {
  access_log off; sendfile on; tcp_nopush on;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi; uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server { listen ${address}; root ${root}; location = /alive { return 200; } }
}
`;
}

async function startServer(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  url: string,
  path: string,
  signal: AbortSignal,
): Promise<PeerServer> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const server = { url, [Symbol.asyncDispose]: () => stop(child) };
  try {
    await answering(command, `${url}${path}`, signal);
    return server;
  } catch (error) {
    await stop(child);
    throw error;
  }
}

async function answering(command: string, url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
  throw new ServerError({
    reason: "ServerSilent",
    message: `${command} does not answer at ${url}`,
    disposition: "retry",
  });
}

async function stop(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended.
  }
  await child.status;
}
