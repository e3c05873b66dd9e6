/**
 * Says what is wrong when that changes: what is tried again and again finds the same again and again,
 * and a log is for what is new.
 */
export class Complaints {
  readonly #say: (text: string, about: string) => void;
  readonly #said = new Map<string, string>();

  /** @param say takes each new complaint, and what it is about. */
  constructor(say: (text: string, about: string) => void) {
    this.#say = say;
  }

  /** Whether something is wrong. */
  get any(): boolean {
    return this.#said.size > 0;
  }

  /** Says what is wrong with something, unless that was said of it last. */
  say(text: string, about = ""): void {
    if (this.#said.get(about) === text) return;
    this.#said.set(about, text);
    this.#say(text, about);
  }

  /** Nothing is wrong with it any more: the same will be new. */
  settle(about = ""): void {
    this.#said.delete(about);
  }

  /** Forgets what was said of things that are gone. */
  keepOnly(isThere: (about: string) => boolean): void {
    for (const about of this.#said.keys()) if (!isThere(about)) this.#said.delete(about);
  }
}
