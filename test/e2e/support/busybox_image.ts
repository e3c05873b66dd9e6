/**
 * Images whose containers have a shell, made of the machine's busybox.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ImageSpec, writeOciArchive } from "../../../extension/build/oci_image.ts";
import { BUSYBOX_PREREQUISITES } from "../../cluster/mod.ts";

/** The image with everything that is here. */
export const BUSYBOX = "busybox.test/busybox:1";
/** The image that has a shell, and neither tar nor what reads a file. */
export const BUSYBOX_WITHOUT_TAR = "busybox.test/without-tar:1";

const BARE = ["sh", "sleep", "mkdir"];
const APPLETS = [
  ...BARE,
  ...["tar", "gzip", "gunzip", "zcat", "cat", "ls", "find", "stat", "sort", "sha256sum", "rm"],
  ...["readlink", "test", "["],
];

/** Writes both images as an archive for `ctr images import`. */
export async function writeBusyboxImages(file: string): Promise<void> {
  const busybox = findBusybox();
  const image = (reference: string, applets: readonly string[]): ImageSpec => ({
    references: [reference],
    entries: [
      { path: "bin/busybox", file: busybox, mode: 0o755 },
      ...applets.map((name) => ({ path: `bin/${name}`, symlink: "busybox" })),
      { path: "tmp", directory: true, mode: 0o1777 },
    ],
    config: { entrypoint: ["/bin/sh"], env: ["PATH=/bin"] },
    compression: "none",
  });
  await writeOciArchive(file, [image(BUSYBOX, APPLETS), image(BUSYBOX_WITHOUT_TAR, BARE)]);
}

function findBusybox(): string {
  const paths = BUSYBOX_PREREQUISITES.flatMap(({ directories, file }) =>
    directories.map((directory) => `${directory}/${file}`)
  );
  const found = paths.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  assert(found, "there is no busybox: apt-get install -y busybox-static");
  // Nothing else is in the image: one that needs libraries could not start.
  const program = new TextDecoder("latin1").decode(Deno.readFileSync(found).subarray(0, 4096));
  assert(!program.includes("/ld-"), `${found} is not static: apt-get install -y busybox-static`);
  return found;
}
