import assert from "node:assert/strict";
import { run } from "./extension_service.ts";

/** Room for the registry's image and the packages of tests. */
const SIZE = "96M";
/** How many files there may be. */
const FILES = 4_096;

/** A disk of its own, ext4 on a loop device, mounted at a directory; gone with the test. */
export class SmallDisk implements AsyncDisposable {
  readonly #image: string;
  readonly #at: string;

  private constructor(image: string, at: string) {
    this.#image = image;
    this.#at = at;
  }

  static async at(directory: string): Promise<SmallDisk> {
    const image = await Deno.makeTempFile({ prefix: "holdfast-disk-" });
    const disk = new SmallDisk(image, directory);
    try {
      await run("truncate", "-s", SIZE, image);
      await run("mkfs.ext4", "-q", "-m", "0", "-N", String(FILES), image);
      await disk.#mount();
    } catch (error) {
      await Deno.remove(image);
      throw error;
    }
    return disk;
  }

  /** Mounts it with another option, as `ro`. */
  async remount(option: string): Promise<void> {
    await run("mount", "-o", `remount,${option}`, this.#at);
  }

  /** The kernel takes it for broken: it turns read-only until it is mounted anew. */
  async fail(): Promise<void> {
    await this.remount("abort");
  }

  /** What a boot does with a broken disk; nobody may use it meanwhile. */
  async repair(): Promise<void> {
    await run("umount", this.#at);
    const { code } = await new Deno.Command("e2fsck", { args: ["-p", this.#image] }).output();
    // 1: its errors were corrected (e2fsck(8)).
    assert(code <= 1, `e2fsck ended with ${code}`);
    await this.#mount();
  }

  /** Takes all of its space. */
  async fill(): Promise<void> {
    using file = await Deno.open(`${this.#at}/filler`, { create: true, append: true });
    // What was set aside for the writing itself is free again once it is on the disk.
    for (let taken = Infinity; taken > 0;) {
      taken = 0;
      for (const size of [1 << 20, 1 << 12]) taken += await filled(file, size);
      await file.sync();
    }
  }

  /** Takes all of its inodes; there is space. */
  async fillFiles(): Promise<void> {
    const names = `${this.#at}/names`;
    await Deno.mkdir(names, { recursive: true });
    try {
      for (let count = 0; count < 2 * FILES; count++) {
        await Deno.writeFile(`${names}/${count}`, new Uint8Array(), { createNew: true });
      }
    } catch (error) {
      assert.match(String(error), /No space left/);
      return;
    }
    assert.fail("there are more inodes than were asked for");
  }

  /** Gives back what was taken. */
  async free(): Promise<void> {
    for (const name of ["filler", "names"]) {
      await Deno.remove(`${this.#at}/${name}`, { recursive: true }).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The service may still have it.
    await run("umount", "--lazy", this.#at);
    await Deno.remove(this.#image);
  }

  async #mount(): Promise<void> {
    await run("mount", "-o", "loop,errors=remount-ro", this.#image, this.#at);
  }
}

/** Appends pieces until there is no room; gives how many bytes that were. */
async function filled(file: Deno.FsFile, size: number): Promise<number> {
  let taken = 0;
  try {
    for (;;) taken += await file.write(new Uint8Array(size));
  } catch (error) {
    assert.match(String(error), /No space left/);
    return taken;
  }
}
