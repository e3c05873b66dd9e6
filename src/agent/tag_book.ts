import * as v from "valibot";
import { parseImageReference, zarfTag } from "../refs/mod.ts";
import { type KnownTag, MANIFEST_TYPES, type TagBook } from "../registry/mod.ts";
import {
  type Clock,
  describeError,
  type Digest,
  isDigest,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import { SEED_OWNER, type Store } from "../store/mod.ts";
import { askRegistry } from "../zarf/mod.ts";
import type { ClusterFacts } from "./cluster_facts.ts";

/** How long the in-cluster registry may take to say what a tag means, in milliseconds. */
export const ASK_TIMEOUT = 3_000;
/**
 * A registry that did not answer is left alone for so many times as long as it was waited for: a
 * refused connection costs nothing and is tried again at once, a silent one holds up a pull in ten.
 */
export const AWAY_FACTOR = 10;
/** Tags that are remembered; those that were asked for longest ago go first. */
export const MAX_TAGS = 512;

const KEY = "registry-tags";

const TagSchema = v.object({
  mediaType: v.string(),
  digest: v.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
  size: v.number(),
});
const BookSchema = v.array(v.tuple([v.string(), TagSchema]));

/** What a {@linkcode RegistryTagBook} works with. */
export interface TagBookOptions {
  readonly store: Store;
  readonly facts: Pick<ClusterFacts, "current">;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/**
 * What tags mean in the in-cluster registry, which has the last word: whoever pushed last to it, an
 * agent or somebody's `zarf`, is right, and no clock is needed to tell. While it does not answer, a
 * tag means what it meant when this node asked for it last, also after a restart; so a pod that
 * starts again never falls back to an older image by itself.
 *
 * The registry's own image is the store's: it has to start where no registry answers.
 */
export class RegistryTagBook implements TagBook {
  readonly #store: Store;
  readonly #facts: Pick<ClusterFacts, "current">;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** By `repository:tag`, the one that was asked for last at the end. */
  readonly #known: Map<string, KnownTag>;
  #awayUntil = -Infinity;

  constructor({ store, facts, logger, clock = systemClock }: TagBookOptions) {
    this.#store = store;
    this.#facts = facts;
    this.#logger = logger;
    this.#clock = clock;
    const parsed = v.safeParse(BookSchema, store.records.getValue(KEY));
    this.#known = new Map(parsed.success ? parsed.output : []);
  }

  async current(
    repository: string,
    tag: string,
    ns: string | undefined,
    stored: Digest | undefined,
  ): Promise<KnownTag | undefined> {
    const { registry } = this.#facts.current;
    if (registry === undefined || this.#isSeed(stored)) return undefined;
    const asked = ns === undefined ? tag : tagOf(`${ns}/${repository}:${tag}`) ?? tag;
    const key = `${repository}:${asked}`;
    if (this.#clock.monotonic() < this.#awayUntil) return this.#known.get(key);
    const started = this.#clock.monotonic();
    const answer = await askRegistry({
      method: "HEAD",
      url: `${registry.url}/v2/${repository}/manifests/${asked}`,
      credentials: registry,
      accept: MANIFEST_TYPES,
      timeout: ASK_TIMEOUT,
    });
    const found = answer?.status === 200 ? knownTagOf(answer) : undefined;
    if (found !== undefined) {
      this.#remember(key, found);
      return found;
    }
    // It was emptied, or never had it: what the store holds is all there is.
    if (answer?.status === 404) {
      this.forget(key);
      return undefined;
    }
    const now = this.#clock.monotonic();
    this.#awayUntil = now + AWAY_FACTOR * (now - started);
    return this.#known.get(key);
  }

  /** Forgets what a tag meant, because it was just given another meaning: `library/web:1.0`. */
  forget(key: string): void {
    if (this.#known.delete(key)) this.#save();
  }

  #remember(key: string, tag: KnownTag): void {
    const before = this.#known.get(key);
    this.#known.delete(key);
    this.#known.set(key, tag);
    if (before?.digest === tag.digest) return;
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_TAGS && oldest !== undefined) this.#known.delete(oldest);
    this.#save();
  }

  /** A disk that does not take it must not keep anybody from pulling. */
  #save(): void {
    try {
      this.#store.records.setValue(KEY, [...this.#known]);
    } catch (error) {
      this.#logger.warn(`what tags mean will not outlast a restart: ${describeError(error)}`);
    }
  }

  #isSeed(stored: Digest | undefined): boolean {
    if (stored === undefined) return false;
    const owners = this.#store.records.blobOwners(stored);
    return owners.length > 0 && owners.every((owner) => owner === SEED_OWNER);
  }
}

/** Zarf's tag of an image, under which the registry has it. */
function tagOf(reference: string): string | undefined {
  return zarfTag(parseImageReference(reference));
}

function knownTagOf({ headers }: Response): KnownTag | undefined {
  const digest = headers.get("docker-content-digest");
  const mediaType = headers.get("content-type");
  const length = headers.get("content-length");
  if (digest === null || !isDigest(digest) || mediaType === null) return undefined;
  return length === null || !/^\d{1,9}$/.test(length)
    ? undefined
    : { mediaType, digest, size: Number(length) };
}
