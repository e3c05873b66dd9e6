import { describeError, oneLine } from "../std/mod.ts";
import { type EtcdStatement, MAX_WORD, WordKey } from "./etcd_word.ts";
import { hostOf } from "./node_address.ts";

/** Where the agent on a control plane is asked for its word. */
export const WORD_PATH = "/v1/etcd/word";
/** Milliseconds that an answer may take; the other looks at its Talos meanwhile. */
const ANSWER_TIMEOUT = 15_000;
/** Milliseconds that a question may take to arrive. */
const QUESTION_TIMEOUT = 5_000;
/** Characters of a refusal that are shown. */
const MAX_SAID = 300;
/** Questions that are answered at once. */
const MAX_QUESTIONS = 8;

/** What a peer has said; `statement` is undefined where nobody has said anything believable. */
export interface PeerAnswer {
  readonly address: string;
  readonly statement?: EtcdStatement;
  /** Why there is none. */
  readonly text?: string;
  /** Nobody answers there at all. */
  readonly silent?: true;
}

/** Asks the agent on another control plane. Never throws. */
export async function askPeer(
  address: string,
  port: number,
  secret: string,
  signal: AbortSignal,
): Promise<PeerAnswer> {
  const key = new WordKey(secret);
  const { question, text } = key.ask(address);
  try {
    const response = await fetch(`http://${hostOf(address)}:${port}${WORD_PATH}`, {
      method: "POST",
      body: text,
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT)]),
    });
    const body = await boundedText(response.body, ANSWER_TIMEOUT) ?? "";
    if (response.status !== 200) {
      return { address, text: oneLine(`answers with HTTP ${response.status}: ${body}`, MAX_SAID) };
    }
    const statement = key.answered(question, body);
    if (statement === undefined) return { address, text: "answers without this site's key" };
    return { address, statement };
  } catch (error) {
    return { address, text: `does not answer: ${describeError(error)}`, silent: true };
  }
}

/** What {@linkcode createWordHandler} answers with. */
export interface WordSource {
  /** The private key of etcd's authority, once Talos has it. */
  secret(): Promise<string | undefined>;
  /** What this machine says now. */
  state(): Promise<EtcdStatement>;
}

/**
 * Answers other control planes. Who does not know the site's key learns nothing and has nothing done
 * for him.
 */
export function createWordHandler(
  source: WordSource,
): (request: Request) => Promise<Response> {
  let answering = 0;
  return async (request) => {
    if (request.method !== "POST" || new URL(request.url).pathname !== WORD_PATH) return said(404);
    if (answering >= MAX_QUESTIONS) return said(503, "too many questions at once");
    answering++;
    try {
      return await answer(request, source);
    } catch (error) {
      return said(503, describeError(error));
    } finally {
      answering--;
    }
  };
}

async function answer(request: Request, source: WordSource): Promise<Response> {
  const text = await boundedText(request.body, QUESTION_TIMEOUT);
  if (text === undefined) return said(413);
  const secret = await source.secret();
  if (secret === undefined) return said(503, "Talos does not have the site's secrets yet");
  const key = new WordKey(secret);
  const question = key.asked(text);
  if (question === undefined) return said(403);
  return new Response(key.answer(question, await source.state()));
}

function said(status: number, text = ""): Response {
  return new Response(text, { status });
}

/**
 * The text of a body of at most {@linkcode MAX_WORD} bytes; undefined for a longer one. What has not
 * come within `timeout` milliseconds is missing.
 */
async function boundedText(
  body: ReadableStream<Uint8Array> | null,
  timeout: number,
): Promise<string | undefined> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  const reader = body.getReader();
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), timeout);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > MAX_WORD) {
        await reader.cancel();
        return undefined;
      }
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
  }
}
