import { HEX_32, newNonce, SiteKey } from "./site_key.ts";

/** Below which agents on control planes serve images to other machines of the site. */
export const IMAGES_PATH = "/v1/images";
/** The longest path with its query that is asked for, in characters. */
export const MAX_TARGET = 1_024;
/** Carries the challenge, from the one that is asked and back. */
export const CHALLENGE_HEADER = "holdfast-challenge";
const NONCE_HEADER = "holdfast-nonce";
const MAC_HEADER = "holdfast-mac";
const KEY_USE = "holdfast.dev images of a site 1";
/** What of an answer is signed beside its status; a body is known by its digest. */
const SIGNED_HEADERS = ["docker-content-digest", "content-type", "content-length"] as const;

/** A question for a manifest or a blob. */
export interface ImageQuestion {
  /** Made by the machine that is asked, which takes it for some time only. */
  readonly challenge: string;
  /** Made by the one that asks; never used twice. */
  readonly nonce: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
}

/**
 * Makes questions for images and their answers authentic by what only the machines of one Talos site
 * know: the token by which Talos takes a machine for one of its site.
 */
export class ImageKey {
  readonly #key: SiteKey;

  /** @param token the machines' token, as Talos has it. */
  constructor(token: string) {
    this.#key = new SiteKey(token, KEY_USE);
  }

  /** The key of a token; undefined for an empty one, which everybody knows. */
  static of(token: string): ImageKey | undefined {
    return token === "" ? undefined : new ImageKey(token);
  }

  /** A new question, and the headers that it is asked with. */
  ask(
    challenge: string,
    method: string,
    target: string,
  ): { readonly question: ImageQuestion; readonly headers: Readonly<Record<string, string>> } {
    const question = { challenge, nonce: newNonce(), method, target };
    return {
      question,
      headers: {
        [CHALLENGE_HEADER]: challenge,
        [NONCE_HEADER]: question.nonce,
        [MAC_HEADER]: this.#key.sign("ask", question),
      },
    };
  }

  /** The question of a machine of this site; undefined for anything else. */
  asked(request: Pick<Request, "method" | "headers">, target: string): ImageQuestion | undefined {
    const { method, headers } = request;
    const [challenge, nonce, mac] = [CHALLENGE_HEADER, NONCE_HEADER, MAC_HEADER]
      .map((name) => headers.get(name) ?? "");
    if (challenge === undefined || nonce === undefined || mac === undefined) return undefined;
    if (![challenge, nonce, mac].every((text) => HEX_32.test(text))) return undefined;
    const question = { challenge, nonce, method, target };
    return this.#key.isSigned("ask", question, mac) ? question : undefined;
  }

  /** An answer's headers, with what makes it one to this very question. */
  answer(question: ImageQuestion, status: number, from: Headers): Headers {
    const headers = new Headers();
    for (const name of SIGNED_HEADERS) {
      const value = from.get(name);
      if (value !== null) headers.set(name, value);
    }
    headers.set(MAC_HEADER, this.#key.sign("answer", statementOf(question, status, headers)));
    return headers;
  }

  /** Whether an answer is that of a machine of this site to this very question. */
  isAnswer(question: ImageQuestion, { status, headers }: Response): boolean {
    const mac = headers.get(MAC_HEADER) ?? "";
    return HEX_32.test(mac) &&
      this.#key.isSigned("answer", statementOf(question, status, headers), mac);
  }
}

function statementOf(question: ImageQuestion, status: number, headers: Headers): unknown {
  return { question, status, headers: SIGNED_HEADERS.map((name) => headers.get(name)) };
}
