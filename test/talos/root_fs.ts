import type { TarEntry } from "../../extension/build/tar.ts";
import { dirname, isDirectory } from "../../src/std/mod.ts";
import { putExtension } from "./extension.ts";
import { machinedBytes } from "./machined.ts";
import { rootEntries } from "./root_entries.ts";

/**
 * Makes the root file system of a Talos node with the extension in it, in a new directory. What is
 * large and built elsewhere is linked where the file system is the same.
 */
export async function makeRoot(root: string): Promise<void> {
  for (const entry of await rootEntries()) await put(root, entry);
  await Deno.writeFile(`${root}/usr/bin/init`, await machinedBytes(), { mode: 0o755 });
  await addExtension(root);
}

async function put(root: string, entry: TarEntry): Promise<void> {
  const path = `${root}/${entry.path}`;
  await Deno.mkdir(dirname(path), { recursive: true });
  if ("directory" in entry) await Deno.mkdir(path, { recursive: true });
  else if ("symlink" in entry) await Deno.symlink(entry.symlink, path);
  else if ("file" in entry) await place(entry.file, path, entry.mode ?? 0o644);
  else {
    const bytes = typeof entry.content === "string"
      ? new TextEncoder().encode(entry.content)
      : entry.content;
    await Deno.writeFile(path, bytes, { mode: entry.mode ?? 0o644 });
  }
}

/** A link has the mode of what it is linked to. */
async function place(file: string, path: string, mode: number): Promise<void> {
  const existing = ((await Deno.stat(file)).mode ?? 0) & 0o7777;
  if (existing === mode) {
    try {
      return await Deno.link(await Deno.realPath(file), path);
    } catch {
      // Another file system.
    }
  }
  await Deno.copyFile(file, path);
  await Deno.chmod(path, mode);
}

/** Lays the extension into the root and lists it, as the imager does. */
async function addExtension(root: string): Promise<void> {
  const unpacked = `${root}.extension`;
  await putExtension(unpacked);
  await merge(`${unpacked}/rootfs`, root);
  const manifest = await Deno.readTextFile(`${unpacked}/manifest.yaml`);
  await Deno.writeTextFile(`${root}/etc/extensions.yaml`, extensionList(manifest));
  await Deno.remove(unpacked, { recursive: true });
}

/** Moves what `from` has to where `to` has it not, and what both have as directories file by file. */
async function merge(from: string, to: string): Promise<void> {
  for await (const { name, isDirectory: isFolder } of Deno.readDir(from)) {
    const target = `${to}/${name}`;
    if (isFolder && isDirectory(target)) await merge(`${from}/${name}`, target);
    else await Deno.rename(`${from}/${name}`, target);
  }
}

/**
 * /etc/extensions.yaml of one extension (Talos 1.13, pkg/machinery/extensions/config.go).
 *
 * @param manifest the image's manifest.yaml.
 */
export function extensionList(manifest: string): string {
  const at = manifest.indexOf("metadata:");
  if (at < 0) throw new Error("the manifest has no metadata");
  const indented = manifest.slice(at).trimEnd().split("\n").map((line) => `    ${line}`);
  return ["layers:", "  - image: 000.holdfast.sqsh", ...indented, ""].join("\n");
}
