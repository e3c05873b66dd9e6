import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import { exec, type ExecResult } from "../../../src/std/mod.ts";

/** Milliseconds that the imager may take; packing the extension is most of it. */
const TIMEOUT = 300_000;

/**
 * Debian 12's mksquashfs (4.5) is older than the imager's own and cannot choose extended attributes.
 * They are left away, and with them SELinux' labels, which the imager gives its own files.
 */
const OLD_MKSQUASHFS = `#!/bin/sh
skip=
for arg; do
  shift
  case "$skip$arg" in
    -xattrs-exclude) skip=skip; set -- "$@" -no-xattrs ;;
    -p) skip=skip ;;
    skip*) skip= ;;
    *) set -- "$@" "$arg" ;;
  esac
done
exec /usr/bin/mksquashfs "$@"
`;

/** A profile of Talos' imager, as YAML has it (Talos 1.13, pkg/imager/profile). */
export interface ImagerProfile {
  readonly arch: string;
  readonly platform: string;
  readonly version: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly output: { readonly kind: string; readonly outFormat: string };
}

/**
 * Runs Talos' imager 1.13.0 on this machine, which lacks the boot loader and the tools of its image.
 *
 * @param directory is empty; what is made is in `out` below it.
 */
export async function runImager(directory: string, profile: ImagerProfile): Promise<ExecResult> {
  await Deno.mkdir(`${directory}/out`, { recursive: true });
  await Deno.mkdir(`${directory}/tmp`, { recursive: true });
  return await exec(await ensureTool(TOOLS.imager), {
    args: ["-", `--output=${directory}/out`],
    env: { PATH: `${await commandsIn(directory)}:/usr/bin:/bin`, TMPDIR: `${directory}/tmp` },
    stdin: JSON.stringify(profile),
    timeout: TIMEOUT,
  });
}

async function commandsIn(directory: string): Promise<string> {
  const env = { PATH: "/usr/bin:/bin" };
  const { stdout, stderr } = await exec("mksquashfs", { args: ["-help"], env, timeout: TIMEOUT });
  const bin = `${directory}/bin`;
  await Deno.mkdir(bin, { recursive: true });
  if (!`${stdout}${stderr}`.includes("-xattrs-exclude")) {
    await Deno.writeTextFile(`${bin}/mksquashfs`, OLD_MKSQUASHFS, { mode: 0o755 });
  }
  return bin;
}
