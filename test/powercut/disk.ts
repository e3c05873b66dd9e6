import { HoldfastError, isThere, systemClock } from "../../src/std/mod.ts";
import { DISK_PREREQUISITES, missingPackages } from "../cluster/mod.ts";
import { run, SYSTEM_PATH } from "../cluster/run.ts";

/** The file systems that a disk can have. */
export const FILE_SYSTEMS = ["ext4", "xfs"] as const;
/** One of {@linkcode FILE_SYSTEMS}. */
export type FileSystem = typeof FILE_SYSTEMS[number];

/** Why there is no disk. */
export type DiskReason = "ServerSilent" | "LeftBehind";

/** A failure of the disk itself, not of what is tested on it. */
export class DiskError extends HoldfastError<DiskReason> {}

/** What a disk is made of. */
export interface DiskOptions {
  readonly fileSystem: FileSystem;
  /** It says that it has flushed and has not, as some cheap sticks do. @default false */
  readonly lies?: boolean;
}

/** Bytes of a disk; xfsprogs makes no file system below 300 MB. The image is sparse. */
const DISK_SIZE = 1 << 30;
/** How long a flush takes over each 64 KiB: long enough for many a cut to come amid one. */
const FLUSH_DELAY = "1ms";
/**
 * The kernel may hold the dead one for a moment after it is unmounted (a mount namespace that somebody
 * made meanwhile has it, too), and XFS mounts no second one of the same name.
 */
const MOUNT_OPTIONS: Readonly<Record<FileSystem, string>> = { ext4: "", xfs: ",nouuid" };
/** How long a server may take to answer, in milliseconds. */
const START_TIMEOUT = 30_000;
const POLL_INTERVAL = 10;

/**
 * Removes everything below its directory and the directory when its standard input ends: told to by
 * the disk, or because the process that made the disk is gone, however that ended. What still has a
 * file of the disk open is killed: only the second case leaves such. Ctrl-C reaches the whole process
 * group, so it runs in a session of its own.
 */
const UNDERTAKER = `cat >/dev/null
if ! umount "$1/mounted" 2>/dev/null; then
  find /proc/[0-9]*/fd -lname "$1/mounted*" 2>/dev/null | cut -d/ -f3 | sort -u | xargs -r kill -9
  umount --lazy "$1/mounted" 2>/dev/null
fi
for path in "$1"/server-*; do umount --lazy "$path" 2>/dev/null; done
rm -rf --one-file-system "$1"`;

/** Why there can be no such disk on this machine, in one line; undefined when there can. */
export function diskObstacle(): string | undefined {
  const what = "a disk that loses its power";
  if (Deno.build.os !== "linux") return `${what} needs Linux`;
  if (Deno.uid() !== 0) return `${what} needs root (mounts, loop devices)`;
  const device = ["/dev/fuse", "/dev/loop-control"].find((path) => !isThere(path));
  if (device !== undefined) return `${what} needs ${device}, which this kernel does not offer`;
  const missing = missingPackages(isThere, DISK_PREREQUISITES);
  return missing.length === 0
    ? undefined
    : `${what} needs: apt-get install -y ${missing.join(" ")}`;
}

/**
 * A disk with a file system that forgets at a power cut what was not flushed, as a real one does that
 * has a cache: nbdkit's cache filter keeps every write until FLUSH; nbdfuse shows its disk as a file,
 * which the kernel mounts through a loop device. Killing nbdkit is the cut.
 *
 * Disposing of it leaves nothing; so does the end of the process, be it by SIGKILL. End what uses it
 * before.
 */
export class ForgettingDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #directory: string;
  readonly #options: DiskOptions;
  readonly #undertaker: Deno.ChildProcess;
  #servers: Deno.ChildProcess[] = [];
  #starts = 0;

  private constructor(options: DiskOptions) {
    this.#options = options;
    this.#directory = Deno.makeTempDirSync({ prefix: "holdfast-disk-" });
    this.path = `${this.#directory}/mounted`;
    this.#undertaker = new Deno.Command("setsid", {
      args: ["sh", "-c", UNDERTAKER, "sh", this.#directory],
      env: { PATH: SYSTEM_PATH },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  /** Makes an empty one and mounts it. */
  static async create(options: DiskOptions): Promise<ForgettingDisk> {
    const disk = new ForgettingDisk(options);
    try {
      await disk.#format();
      await disk.powerUp();
      return disk;
    } catch (error) {
      await disk[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Cuts the power: what was not flushed when this returns is lost, and every further call that needs
   * the disk fails. End what runs on it next, then {@linkcode ForgettingDisk.powerUp}.
   */
  cut(): void {
    // The one that forgets comes first: what the other still tells it is lost, too.
    for (const server of this.#servers) killQuietly(server);
  }

  /**
   * Mounts it; the file system repairs itself by its journal, as at every start.
   *
   * @throws {ClusterError} `CommandFailed` when it cannot be mounted, or the dead one is still in use.
   * @throws {DiskError} `ServerSilent`
   */
  async powerUp(): Promise<void> {
    await this.#powerDown();
    const directory = `${this.#directory}/server-${++this.#starts}`;
    // A new place each time: on one that a dead nbdfuse has left, the next one hangs for ever.
    await Deno.mkdir(directory);
    const socket = `${directory}.socket`;
    const image = await this.#serve(socket, directory);
    const { fileSystem } = this.#options;
    await run("mount", [
      "-t",
      fileSystem,
      "-o",
      `loop${MOUNT_OPTIONS[fileSystem]}`,
      image,
      this.path,
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await Promise.all(this.#servers.map((server) => server.status));
    await this.#undertaker.stdin.close();
    await this.#undertaker.status;
    if (!isThere(this.#directory)) return;
    throw new DiskError({
      reason: "LeftBehind",
      message: `${this.#directory} could not be removed`,
      remedy: "umount what is mounted below it, then remove it",
    });
  }

  async #format(): Promise<void> {
    const image = `${this.#directory}/disk.img`;
    await Deno.writeFile(image, new Uint8Array());
    await Deno.truncate(image, DISK_SIZE);
    await run(`mkfs.${this.#options.fileSystem}`, ["-q", image]);
    await Deno.mkdir(this.path);
  }

  /** Starts the two servers; gives the path of the disk as a file. */
  async #serve(socket: string, directory: string): Promise<string> {
    const cache = `cache=${this.#options.lies ? "unsafe" : "writeback"}`;
    const image = `${this.#directory}/disk.img`;
    const file = `${directory}/nbd`;
    // Not in the background, where it would become nobody's child.
    const flags = ["--foreground", "--exit-with-parent", "-U", socket];
    const filters = ["--filter=cache", "--filter=delay"];
    const settings = [cache, `delay-write=${FLUSH_DELAY}`];
    await this.#started("nbdkit", [...flags, ...filters, "file", image, ...settings], socket);
    await this.#started("nbdfuse", [file, "--unix", socket], file);
    return file;
  }

  async #started(program: string, args: readonly string[], answer: string): Promise<void> {
    this.#servers.push(
      new Deno.Command(program, {
        args: [...args],
        cwd: this.#directory,
        // nbdkit keeps in a file there what was not flushed.
        env: { PATH: SYSTEM_PATH, TMPDIR: this.#directory },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn(),
    );
    const deadline = systemClock.monotonic() + START_TIMEOUT;
    while (!isThere(answer)) {
      if (systemClock.monotonic() > deadline) {
        throw new DiskError({ reason: "ServerSilent", message: `${program} does not answer` });
      }
      await systemClock.sleep(POLL_INTERVAL);
    }
  }

  async #powerDown(): Promise<void> {
    if (this.#servers.length === 0) return;
    this.cut();
    await Promise.all(this.#servers.map((server) => server.status));
    this.#servers = [];
    await run("umount", [this.path]);
    await run("umount", ["--lazy", `${this.#directory}/server-${this.#starts}`]);
  }
}

function killQuietly(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}
