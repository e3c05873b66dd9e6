import assert from "node:assert/strict";
import { run } from "../../cluster/run.ts";
import { eventually } from "./agent.ts";
import { isThere } from "../../../src/std/mod.ts";

/** Bytes of a disk. */
const DISK_SIZE = 128 << 20;
/** How fast it is, in bits per second: slow enough to fail while somebody reads. */
const SPEED = 40_000_000;

/**
 * A read-only disk with an ext4 file system that is slow, and fails to be read when it is told to, as
 * a stick with bad sectors or one that was pulled out: nbdkit's error filter gives EIO, nbdfuse shows
 * its disk as {@linkcode FailingDisk.file}, which the kernel mounts through a loop device.
 *
 * Unmount it before disposing of it; nothing is left then.
 */
export class FailingDisk implements AsyncDisposable {
  /** The disk, to be mounted with `-o loop,ro`. */
  readonly file: string;
  readonly #directory: string;
  readonly #server: Deno.ChildProcess;

  private constructor(directory: string) {
    this.#directory = directory;
    this.file = `${directory}/disk/nbd`;
    this.#server = new Deno.Command("nbdfuse", {
      args: [
        ...[this.file, "[", "nbdkit", "--exit-with-parent", "--filter=error", "--filter=rate"],
        ...["file", `${directory}/image`, `rate=${SPEED}`],
        ...["error-pread=EIO", "error-pread-rate=100%", `error-pread-file=${this.#trigger}`, "]"],
      ],
      stdin: "null",
      stdout: "null",
      // They say every error that they make.
      stderr: "null",
    }).spawn();
  }

  /** Makes one with everything that lies in `content`. */
  static async create(content: string): Promise<FailingDisk> {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-e2e-disk-" });
    await Deno.writeFile(`${directory}/image`, new Uint8Array());
    await Deno.truncate(`${directory}/image`, DISK_SIZE);
    await run("mkfs.ext4", ["-q", "-d", content, `${directory}/image`]);
    await Deno.mkdir(`${directory}/disk`);
    const disk = new FailingDisk(directory);
    await eventually("disk", () => isThere(disk.file) ? true : undefined, 60_000);
    return disk;
  }

  /** From now on everything that has not been read yet cannot be. */
  fail(): void {
    Deno.writeTextFileSync(this.#trigger, "");
  }

  /** From now on everything can be read. */
  mend(): void {
    Deno.removeSync(this.#trigger);
  }

  get #trigger(): string {
    return `${this.#directory}/fail`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It unmounts its file and ends nbdkit.
    this.#server.kill("SIGTERM");
    await this.#server.status;
    assert.equal(isThere(this.file), false, `${this.file} is still mounted`);
    await Deno.remove(this.#directory, { recursive: true });
  }
}
