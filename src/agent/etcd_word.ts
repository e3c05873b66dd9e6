import * as v from "valibot";
import type { EtcdFacts } from "./etcd_facts.ts";
import type { EtcdMemory } from "./etcd_marker.ts";
import { evidenceOf, wasAsked } from "./etcd_verdict.ts";
import { HEX_32, newNonce, SiteKey } from "./site_key.ts";

/**
 * What a control plane says of itself: that it has never seen a cluster, that there is one or was one,
 * that its Talos makes one or is about to, or that it cannot say.
 */
export type EtcdWord = "never" | "cluster" | "making" | "unknown";
const WORDS = ["never", "cluster", "making", "unknown"] as const satisfies readonly EtcdWord[];

/** A control plane's word, with what it has to do with the one that asks. */
export interface EtcdStatement {
  readonly word: EtcdWord;
  /** Why it says so. */
  readonly text: string;
  /** Its addresses. */
  readonly addresses: readonly string[];
  /** Its settings' list. */
  readonly controlPlanes: readonly string[];
}

/** A question. */
export interface EtcdQuestion {
  /** Never used twice. */
  readonly nonce: string;
  /** The address that is asked. */
  readonly to: string;
}

/** Bytes that a question or an answer may have. */
export const MAX_WORD = 8_192;
const KEY_USE = "holdfast.dev etcd bootstrap 1";

const hex = v.pipe(v.string(), v.regex(HEX_32));
const addresses = v.pipe(v.array(v.pipe(v.string(), v.maxLength(50))), v.maxLength(100));
const questionSchema = v.object({ nonce: hex, to: v.pipe(v.string(), v.maxLength(50)), mac: hex });
const statementSchema = v.object({
  word: v.picklist(WORDS),
  text: v.pipe(v.string(), v.maxLength(1_000)),
  addresses,
  controlPlanes: addresses,
  mac: hex,
});

/** What a machine can truly say, of what Talos says now and what it remembers. */
export function wordOf(
  facts: EtcdFacts,
  memory: EtcdMemory,
): Pick<EtcdStatement, "word" | "text"> {
  const seen = memory.seen ?? evidenceOf(facts);
  if (seen !== undefined) return { word: "cluster", text: seen };
  if (facts.machine !== "controlplane") {
    return { word: "unknown", text: `it is of the type ${facts.machine}` };
  }
  if (memory.asked?.life === facts.life || wasAsked(facts, memory)) {
    return {
      word: "making",
      text: "its Talos has been asked to make a cluster, or is about to be",
    };
  }
  if (facts.data !== "blank" || facts.service === undefined) {
    return { word: "unknown", text: "its etcd's data directory is not there yet" };
  }
  return { word: "never", text: "its disk is blank" };
}

/**
 * Makes words authentic by what only the control planes of one site know: the private key of etcd's
 * authority. Nothing secret goes over the wire, and a word is good for one question only.
 */
export class WordKey {
  readonly #key: SiteKey;

  /** @param secret the private key of etcd's authority, as Talos has it. */
  constructor(secret: string) {
    this.#key = new SiteKey(secret, KEY_USE);
  }

  /** A new question for the machine at an address, and its text. */
  ask(to: string): { readonly question: EtcdQuestion; readonly text: string } {
    const question = { nonce: newNonce(), to };
    const mac = this.#key.sign("ask", question);
    return { question, text: JSON.stringify({ ...question, mac }) };
  }

  /** A question that a control plane of this site has asked; undefined for anything else. */
  asked(text: string): EtcdQuestion | undefined {
    const parsed = v.safeParse(questionSchema, parsedJson(text));
    if (!parsed.success) return undefined;
    const { mac, ...question } = parsed.output;
    return this.#key.isSigned("ask", question, mac) ? question : undefined;
  }

  /** The text of an answer. */
  answer(question: EtcdQuestion, statement: EtcdStatement): string {
    const mac = this.#key.sign("answer", { question, statement });
    return JSON.stringify({ ...statement, mac });
  }

  /** The answer of a control plane of this site to this very question; undefined for anything else. */
  answered(question: EtcdQuestion, text: string): EtcdStatement | undefined {
    const parsed = v.safeParse(statementSchema, parsedJson(text));
    if (!parsed.success) return undefined;
    const { mac, ...statement } = parsed.output;
    return this.#key.isSigned("answer", { question, statement }, mac) ? statement : undefined;
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
