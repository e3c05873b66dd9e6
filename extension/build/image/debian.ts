import { exec } from "../../../src/std/mod.ts";
import { ExtensionError } from "./errors.ts";
import type { Component } from "./spdx.ts";

/** How long dpkg-query may take, in milliseconds. */
const DPKG_TIMEOUT = 60_000;
/** What dpkg-query prints of a package; none of the fields has a tab in it. */
const FORMAT = "${Package}\\t${Version}\\t${source:Package}\\t${source:Version}\\t" +
  "${Architecture}\\n";

/** A component with the text of its licences. */
export interface LicensedComponent extends Component {
  readonly notice: string;
}

/**
 * The Debian packages that files are of, with their versions, their sources and what their copyright
 * files say.
 *
 * @param root of the file system that the files are of.
 * @throws {ExtensionError} `OriginUnknown` when a file is of no package, `LicenceMissing`
 */
export async function debianPackages(
  files: readonly string[],
  root = "",
): Promise<LicensedComponent[]> {
  const names = new Set<string>();
  for (const file of files) names.add(await ownerOf(file, root));
  const listed = await dpkg(root, ["-W", `-f=${FORMAT}`, ...[...names].sort()]);
  return listed.trimEnd().split("\n").map((line) => {
    const [name = "", version = "", source = "", sourceVersion = "", arch = ""] = line.split("\t");
    return {
      name,
      version,
      purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${arch}`,
      comment: `made from the Debian source package ${source} ${sourceVersion}`,
      notice: noticeOf(name, root),
    };
  });
}

/** The package of a file, which Debian may know by its path from before /lib went into /usr. */
async function ownerOf(file: string, root: string): Promise<string> {
  const real = Deno.realPathSync(`${root}${file}`).slice(root.length);
  const paths = [file, real].flatMap((path) => [path, path.replace(/^\/usr/, ""), `/usr${path}`]);
  for (const path of new Set(paths)) {
    const said = await dpkg(root, ["-S", path]).catch(() => "");
    const name = /^([^\s:,]+(?::\w+)?):/.exec(said)?.[1];
    if (name !== undefined) return name;
  }
  throw new ExtensionError({
    reason: "OriginUnknown",
    message: `${file} is of no Debian package, so its version and licence are not known`,
    remedy: "build on Debian with git and busybox-static as Debian has them",
  });
}

function noticeOf(name: string, root: string): string {
  try {
    return Deno.readTextFileSync(`${root}/usr/share/doc/${name}/copyright`);
  } catch (cause) {
    throw new ExtensionError({
      reason: "LicenceMissing",
      message: `/usr/share/doc/${name}/copyright cannot be read`,
      remedy: `apt-get install --reinstall ${name}, without leaving out /usr/share/doc`,
      cause,
    });
  }
}

async function dpkg(root: string, args: readonly string[]): Promise<string> {
  const admin = root === "" ? [] : [`--admindir=${root}/var/lib/dpkg`];
  const { code, stdout, stderr } = await exec("dpkg-query", {
    args: [...admin, ...args],
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" },
    timeout: DPKG_TIMEOUT,
  });
  if (code === 0) return stdout;
  throw new ExtensionError({ reason: "OriginUnknown", message: `dpkg-query: ${stderr.trim()}` });
}
