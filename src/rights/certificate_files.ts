import * as v from "valibot";
import { describeError, type Logger, removeQuietly, writeFileAtomic } from "../std/mod.ts";

/** A certificate that an agent holds; PEM. */
const HeldSchema = v.object({
  key: v.string(),
  cert: v.string(),
  /** Of the cluster that gave it. */
  ca: v.optional(v.string()),
});
/** See {@linkcode CertificateFiles}. */
export type HeldCertificate = Readonly<v.InferOutput<typeof HeldSchema>>;

const PendingSchema = v.object({ key: v.string() });

/**
 * What is kept across a restart: the certificate, and the key of a request that is not answered yet.
 * With them a node that starts while nobody can approve has its rights, and one that starts again and
 * again asks once. Only root may read the directory. A disk that takes nothing costs only that.
 */
export class CertificateFiles {
  readonly #directory: string;
  readonly #logger: Logger;
  #held: HeldCertificate | undefined;
  #pendingKey: string | undefined;

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
    this.#held = this.#read("certificate.json", HeldSchema);
    this.#pendingKey = this.#read("request.json", PendingSchema)?.key;
  }

  /** The certificate that counts. */
  get held(): HeldCertificate | undefined {
    return this.#held;
  }

  /** The key that a certificate was asked for, PEM. */
  get pendingKey(): string | undefined {
    return this.#pendingKey;
  }

  /** Takes a certificate in place of the one before; nothing is pending any more. */
  hold(held: HeldCertificate): void {
    this.#held = held;
    this.#write("certificate.json", held);
    this.setPending(undefined);
  }

  /** The certificate is of no use. */
  drop(): void {
    this.#held = undefined;
    removeQuietly(`${this.#directory}/certificate.json`);
  }

  /** @param key PEM; undefined when it is of no use. */
  setPending(key: string | undefined): void {
    this.#pendingKey = key;
    if (key === undefined) removeQuietly(`${this.#directory}/request.json`);
    else this.#write("request.json", { key });
  }

  #read<T>(name: string, schema: v.GenericSchema<unknown, T>): T | undefined {
    try {
      return v.parse(schema, JSON.parse(Deno.readTextFileSync(`${this.#directory}/${name}`)));
    } catch {
      // Not there, or of a version that wrote it otherwise: a new one is asked for.
      return undefined;
    }
  }

  #write(name: string, content: unknown): void {
    const path = `${this.#directory}/${name}`;
    try {
      Deno.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      Deno.chmodSync(this.#directory, 0o700);
      writeFileAtomic(path, JSON.stringify(content));
      Deno.chmodSync(path, 0o600);
    } catch (error) {
      this.#logger.warn(`the node's certificate is not kept: ${describeError(error)}`);
    }
  }
}
