import * as v from "valibot";
import { ensureDir, removeQuietly, writeFileAtomic } from "../std/mod.ts";
import { deployedRevision, newestRevision, type Revision } from "./release.ts";

const noteSchema = v.object({
  /** The revision to go back to; null where there was none. */
  good: v.nullable(v.number()),
  /** The newest revision when it was written; the next one is unproven. */
  newest: v.number(),
  /** The newest revision before the first one that is unproven. */
  proven: v.number(),
});

/** What there was of a release before it was changed. */
export interface Earlier {
  /** The revision that was good. */
  readonly before: number | undefined;
  /** The newest one that is not of this change, good or not. */
  readonly newest: number;
}

/**
 * Knows of releases which revision was ready last. Helm calls a revision deployed once it is applied;
 * whether it becomes ready shows later, and this process may be ended before. So it is noted before a
 * release is changed what there was, and the note goes when the change is proven good or undone.
 */
export class ProofBook {
  readonly #directory: string;

  /** @param directory for the notes, one file for each release that is being changed. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * What there is of a release that is about to be changed, and notes it: until {@linkcode settle}
   * what comes next is not taken for good. After an interruption that is what there was before.
   */
  begin(namespace: string, release: string, history: readonly Revision[]): Earlier {
    const path = this.#path(namespace, release);
    const newest = newestRevision(history);
    const earlier = this.#earlier(path, history);
    ensureDir(this.#directory);
    const { before = null, newest: proven } = earlier;
    writeFileAtomic(path, JSON.stringify({ good: before, newest, proven }));
    return earlier;
  }

  /** What Helm says is deployed may be gone back to from now on. */
  settle(namespace: string, release: string): void {
    removeQuietly(this.#path(namespace, release));
  }

  #earlier(path: string, history: readonly Revision[]): Earlier {
    const deployed = deployedRevision(history);
    const note = readNote(path);
    // Somebody else has deployed it since; then Helm's word holds.
    if (note === undefined || (deployed ?? 0) > note.newest + 1) {
      return { before: deployed, newest: newestRevision(history) };
    }
    const { good, proven: newest } = note;
    const isThere = good === null || history.some(({ revision }) => revision === good);
    return { before: isThere ? good ?? undefined : deployed, newest };
  }

  #path(namespace: string, release: string): string {
    return `${this.#directory}/${namespace}_${release}.json`;
  }
}

function readNote(path: string): v.InferOutput<typeof noteSchema> | undefined {
  try {
    return v.parse(noteSchema, JSON.parse(Deno.readTextFileSync(path)));
  } catch {
    // There is none; one that cannot be read says nothing.
    return undefined;
  }
}
