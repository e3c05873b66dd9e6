import type { Publication, PublicationKey } from "./union.ts";

/** Below here each package's references are kept; readers do not see them. */
export const PUBLICATIONS = "refs/packages";

const SEQUENCE_DIGITS = 10;
const PUBLISHED =
  /^refs\/packages\/(?<sequence>\d{10})\/(?<name>[^/]+)\/(?<digest>[0-9a-f]{64})\/(?<clone>\d+)\/(?<rest>HEAD|heads\/.+|tags\/.+)$/;

/** What `git for-each-ref` is asked to print; no reference holds a space. */
export const REFERENCE_FORMAT = "%(objectname) %(refname) %(symref)";

/** Where a publication's references are, without a slash at the end. */
export function publicationPrefix(
  one: PublicationKey & Pick<Publication, "sequence">,
): string {
  const sequence = String(one.sequence).padStart(SEQUENCE_DIGITS, "0");
  return `${PUBLICATIONS}/${sequence}/${one.packageName}/${one.digest}/${one.clone}`;
}

/** What a repository holds. */
export interface Holdings {
  readonly publications: readonly Publication[];
  /** The object names of what is served, by reference without `refs/`. */
  readonly served: ReadonlyMap<string, string>;
}

/** Reads what {@linkcode REFERENCE_FORMAT} printed. */
export function parseReferences(text: string): Holdings {
  const publications = new Map<string, Publication & { references: Map<string, string> }>();
  const served = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [object = "", reference = "", target = ""] = line.split(" ");
    const groups = PUBLISHED.exec(reference)?.groups;
    if (groups === undefined) {
      if (/^refs\/(heads|tags)\//.test(reference)) {
        served.set(reference.slice("refs/".length), object);
      }
      continue;
    }
    const { sequence = "", name = "", digest = "", clone = "", rest = "" } = groups;
    const one = { sequence: Number(sequence), packageName: name, digest, clone };
    const prefix = publicationPrefix(one);
    const known = publications.get(prefix) ?? { ...one, references: new Map<string, string>() };
    if (rest === "HEAD") {
      publications.set(prefix, { ...known, head: target.slice(prefix.length + 1) });
    } else {
      known.references.set(rest, object);
      publications.set(prefix, known);
    }
  }
  return { publications: [...publications.values()], served };
}
