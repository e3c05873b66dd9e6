import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import type { ExtensionImage } from "../../../extension/build/image/image.ts";
import { buildExtension, type ExtensionOutputs } from "../../../extension/build/image/main.ts";
import { exec } from "../../../src/std/mod.ts";

/** How long a look at an image may take, in milliseconds. */
const TIMEOUT = 120_000;

/** What is wrong with an image, as test/cluster/tools/talosvalidate says it. */
export interface Finding {
  /** Who says it: Talos' own code, or a check that Talos lacks. */
  readonly by: "talos" | "holdfast";
  readonly check: string;
  readonly message: string;
}

/** Everything that is wrong with an unpacked extension image, or with one that is unpacked first. */
export async function judge(
  directory: string,
  ...from: readonly ["-layout" | "-archive", string] | readonly []
): Promise<Finding[]> {
  const { code, stdout, stderr } = await exec(await ensureTool(TOOLS.talosValidate), {
    args: [...from, "-arch", Deno.build.arch === "aarch64" ? "arm64" : "amd64", directory],
    env: {},
    timeout: TIMEOUT,
  });
  assert(code < 2, stderr);
  return JSON.parse(stdout);
}

/** The image of this checkout, as a file of tests has it for itself. */
export interface TestImage extends ExtensionOutputs {
  readonly built: ExtensionImage;
  /** The image as the imager unpacks it. */
  readonly image: string;
  readonly findings: readonly Finding[];
}

/** Builds and unpacks the image where nobody else builds one; it is gone when the tests are over. */
export async function testImage(): Promise<TestImage> {
  const directory = await Deno.makeTempDir({ prefix: "holdfast-extension-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  await Deno.chmod(directory, 0o755);
  const outputs = { layout: `${directory}/layout`, archive: `${directory}/image.tar` };
  const built = await buildExtension(undefined, () => {}, outputs);
  const image = `${directory}/image`;
  await Deno.mkdir(image);
  await Deno.chmod(image, 0o755);
  return { ...outputs, built, image, findings: await judge(image, "-layout", outputs.layout) };
}

/** A copy of an unpacked image that shares the content of files which nobody changes. */
export class ImageCopy {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async of(image: string, directory: string): Promise<ImageCopy> {
    const { success } = await new Deno.Command("cp", { args: ["-al", image, directory] }).output();
    assert(success);
    return new ImageCopy(directory);
  }

  /** Writes a file, with the directories above it. */
  write(path: string, content: string, mode = 0o644): void {
    const file = `${this.directory}/${path}`;
    const parts = path.split("/").slice(0, -1);
    for (const [at] of parts.entries()) {
      const above = `${this.directory}/${parts.slice(0, at + 1).join("/")}`;
      try {
        Deno.mkdirSync(above);
        Deno.chmodSync(above, 0o755);
      } catch (error) {
        assert(error instanceof Deno.errors.AlreadyExists, String(error));
      }
    }
    // Not into the file that the original has, too.
    this.remove(path);
    Deno.writeTextFileSync(file, content);
    Deno.chmodSync(file, mode);
  }

  /** Changes a text in a file, which must be in it. */
  replace(path: string, old: string | RegExp, by: string): void {
    const before = Deno.readTextFileSync(`${this.directory}/${path}`);
    const after = before.replace(old, by);
    assert.notEqual(after, before, `${old} is not in ${path}`);
    this.write(path, after);
  }

  remove(path: string): void {
    try {
      Deno.removeSync(`${this.directory}/${path}`, { recursive: true });
    } catch (error) {
      assert(error instanceof Deno.errors.NotFound, String(error));
    }
  }

  rename(path: string, to: string): void {
    Deno.renameSync(`${this.directory}/${path}`, `${this.directory}/${to}`);
  }

  /** Runs a command on a path of it. */
  async run(command: string, ...args: readonly string[]): Promise<void> {
    const paths = args.map((each) => each.replace(/^@/, `${this.directory}/`));
    const { success } = await new Deno.Command(command, { args: paths }).output();
    assert(success, `${command} ${paths.join(" ")}`);
  }
}
