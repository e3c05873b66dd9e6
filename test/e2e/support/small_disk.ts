import assert from "node:assert/strict";
import { run } from "./extension_service.ts";

/** Room for the registry's image and the packages of tests. */
const SIZE = "96M";

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
      await run("mkfs.ext4", "-q", "-m", "0", image);
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
    for (const size of [1 << 20, 1 << 12]) {
      try {
        for (;;) await file.write(new Uint8Array(size));
      } catch (error) {
        assert.match(String(error), /No space left/);
      }
    }
    await file.sync();
  }

  /** Gives it back. */
  async free(): Promise<void> {
    await Deno.remove(`${this.#at}/filler`);
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
