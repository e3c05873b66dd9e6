/** What one clone in one package brought of a repository. */
export interface Publication {
  /** Counted up by 1 with each; the later one wins. */
  readonly sequence: number;
  readonly packageName: string;
  /** Digest of the package, in hexadecimal digits. */
  readonly digest: string;
  /**
   * Tells the clones of a package apart: a number that the URL in the package gives with all that
   * Zarf allows behind it, because `repos` may name several references of one repository.
   */
  readonly clone: string;
  /** Object names by reference: `heads/main`, `tags/v1`. */
  readonly references: ReadonlyMap<string, string>;
  /** The branch that the package has checked out, `heads/main`. */
  readonly head?: string;
}

/** The references that a repository is served with. */
export interface Union {
  /** Object names by reference. */
  readonly references: ReadonlyMap<string, string>;
  /** The branch that a clone checks out; undefined where there is no branch. */
  readonly head: string | undefined;
}

/** Branches that are taken for the main one, where no package says which it is. */
const USUAL_HEADS = ["heads/main", "heads/master"];

/**
 * All references of all packages. Of a reference that several have the newest package's stays, and
 * one that cannot exist beside a newer one (`a` and `a/b`) is left out.
 */
export function unionOf(publications: readonly Publication[]): Union {
  const references = new Map<string, string>();
  const directories = new Set<string>();
  const newestFirst = [...publications].sort((a, b) => b.sequence - a.sequence);
  for (const publication of newestFirst) {
    for (const [name, object] of publication.references) {
      const above = parentsOf(name);
      if (references.has(name) || directories.has(name)) continue;
      if (above.some((parent) => references.has(parent))) continue;
      references.set(name, object);
      for (const parent of above) directories.add(parent);
    }
  }
  const wanted = [...newestFirst.map(({ head }) => head), ...USUAL_HEADS];
  const isBranch = (name: string | undefined) => name !== undefined && references.has(name);
  const branches = () => [...references.keys()].filter((name) => name.startsWith("heads/")).sort();
  return { references, head: wanted.find(isBranch) ?? branches()[0] };
}

/** `heads/a/b` lies below `heads/a`; `heads` itself is nobody's. */
function parentsOf(name: string): string[] {
  const segments = name.split("/");
  return segments.slice(2).map((_, at) => segments.slice(0, at + 2).join("/"));
}

/** Which clone of which package. */
export type PublicationKey = Pick<Publication, "packageName" | "digest" | "clone">;

/**
 * The place of a publication: its own as it was, unless another version of the package has come
 * meanwhile; else after all others. So a package that is deployed anew changes no branch that a newer
 * one has, and going back to an older version takes its branches back.
 */
export function placeOf(publications: readonly Publication[], key: PublicationKey): number {
  const own = publications.filter(({ packageName }) => packageName === key.packageName);
  const known = own.find(({ digest, clone }) => digest === key.digest && clone === key.clone);
  const others = own.filter(({ digest }) => digest !== key.digest);
  if (known !== undefined && known.sequence > latest(others)) return known.sequence;
  return latest(publications) + 1;
}

function latest(publications: readonly Publication[]): number {
  return publications.reduce((best, { sequence }) => Math.max(best, sequence), 0);
}
