import { normalize } from "node:path";
import type { ZarfComponent, ZarfFile } from "../package/mod.ts";
import { dirname } from "../std/mod.ts";
import { DeployError } from "./errors.ts";

/** Where files of a package may go. */
export interface FilePlaces {
  /** Where relative targets go. */
  readonly work: string;
  /** For `~`. */
  readonly home: string;
  /** For `###ZARF_TEMP###`. */
  readonly temp: string;
  /** Directories of the node below which files may go, absolute. */
  readonly roots: readonly string[];
}

/** A path and the directory that it must stay below. */
export interface Target {
  readonly path: string;
  readonly root: string;
}

const TEMP = "###ZARF_TEMP###";

/**
 * Where a target of a package lies (Zarf 0.84, src/pkg/packager/deploy.go processComponentFiles), and
 * undefined where nothing may be put. It looks at the path as it is written; {@linkcode staysBelow}
 * looks at the disk.
 */
export function resolveTarget(target: string, places: FilePlaces): Target | undefined {
  const { work, home, temp, roots } = places;
  let path = target.replace(TEMP, () => temp);
  if (path.startsWith("~")) path = path.replace("~", () => home);
  if (!path.startsWith("/")) path = `${work}/${path}`;
  path = normalize(path).replace(/(.)\/$/, "$1");
  const root = [work, home, temp, ...roots].find((root) => isBelow(path, root));
  return path.includes("\0") || root === undefined ? undefined : { path, root };
}

/** Whether a path is a directory or lies below it, as they are written. */
export function isBelow(path: string, root: string): boolean {
  const base = normalize(root).replace(/\/$/, "");
  return path === base || path.startsWith(`${base}/`);
}

/**
 * Whether what is on the disk leads a path out of its root: symbolic links on the way to it. The last
 * part is not followed, because what is put there takes its place.
 */
export function staysBelow({ path, root }: Target): boolean {
  const real = realPathOf(root);
  const parent = path === root ? path : dirname(path);
  return isBelow(realPathOf(parent), real);
}

/** The real path of what exists of a path, with the rest of it behind. */
function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) || path === "/") throw error;
    // A link to nowhere is there all the same, and would be followed when its target comes.
    const link = readLinkQuietly(path);
    if (link !== undefined) {
      return realPathOf(normalize(link.startsWith("/") ? link : `${dirname(path)}/${link}`));
    }
    const parent = realPathOf(dirname(path));
    return `${parent === "/" ? "" : parent}/${path.slice(path.lastIndexOf("/") + 1)}`;
  }
}

function readLinkQuietly(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Refuses files that would go where none may: outside of the roots and of the deployment's own
 * directory, or through a link out of them.
 *
 * @throws {DeployError} `FilesRefused`, naming component and path.
 */
export function checkFiles(
  components: readonly ZarfComponent[],
  roots: readonly string[],
): void {
  // What is private to the deployment is not there yet; only whether a path leaves it matters.
  const places = { work: "/.work", home: "/.home", temp: "/.temp", roots };
  for (const component of components) {
    for (const file of component.files) {
      for (const target of [file.target, ...file.symlinks]) {
        if (allowed(target, places)) continue;
        throw new DeployError({
          reason: "FilesRefused",
          message: `component "${component.name}" puts a file to ${JSON.stringify(target)}, ` +
            (roots.length === 0
              ? "and no directory of the node is open to packages"
              : `which is not below ${roots.join(" or ")}`),
          kept: "the cluster was not touched",
          remedy: "start the agent with --files-root, or build the package without the file",
        });
      }
      checkLinks(component, file, places);
    }
  }
}

function allowed(target: string, places: FilePlaces): boolean {
  const resolved = resolveTarget(target, places);
  if (resolved === undefined) return false;
  return !places.roots.includes(resolved.root) || staysBelow(resolved);
}

/** A link takes the place of everything that is there: it must not be what the file lies in. */
function checkLinks(component: ZarfComponent, file: ZarfFile, places: FilePlaces): void {
  const target = resolveTarget(file.target, places);
  for (const link of file.symlinks) {
    const at = resolveTarget(link, places);
    if (target === undefined || at === undefined) continue;
    if (at.path !== at.root && !isBelow(target.path, at.path)) continue;
    throw new DeployError({
      reason: "FilesRefused",
      message: `component "${component.name}": the link ${JSON.stringify(link)} would take the ` +
        `place of what ${JSON.stringify(file.target)} lies in`,
      kept: "the cluster was not touched",
      remedy: "build the package without the link",
    });
  }
}
