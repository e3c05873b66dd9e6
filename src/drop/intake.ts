import type { PackageContents, PackageIdentity, PackageScout, TrustedKey } from "../package/mod.ts";
import { type Clock, type Digest, failpoint } from "../std/mod.ts";
import { availableBytes, type LedgerEntry, type Store } from "../store/mod.ts";
import { ingest, IngestError } from "./ingest.ts";
import { packageRecord } from "./record.ts";
import type { FileIdentity } from "./types.ts";

/** By this annotation a signed package says that it may come back, or after a newer one. */
export const ALLOW_OLDER = "holdfast.dev/allow-older-version";
/**
 * A package is looked over before it is read where less is free than this many times its file:
 * compressed text can grow, layers cannot.
 */
const AMPLE = 4;

/** What an {@linkcode Intake} works with. */
export interface IntakeOptions {
  readonly store: Store;
  /** The node's processor. */
  readonly architecture: "amd64" | "arm64";
  readonly trust: readonly TrustedKey[];
  readonly clock: Clock;
}

/** How one file is taken in. */
export interface IntakeRequest {
  readonly file: FileIdentity;
  /** The package that it held when it was accepted, if parts of that are missing in the store. */
  readonly repairs?: Digest;
  /** The last try filled the disk. */
  readonly tight: boolean;
  /** Told how far it is, and whether the package is only looked over. */
  readonly onProgress: (bytes: number, scouting: boolean) => void;
}

/**
 * Takes a file into the store and records its package. What decides about a package is asked before
 * anything of it is stored: with keys the signature and the ledger, and the room on the disk
 * wherever that is not ample.
 */
export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * @throws {IngestError} with the reason of the reader, the ledger or the store; no package is
   * recorded then.
   */
  async take(request: IntakeRequest, signal: AbortSignal): Promise<PackageContents> {
    const { store, architecture, trust } = this.#options;
    const { file, onProgress } = request;
    store.requireThawed();
    using holds = new DisposableStack();
    const admit = (scout: PackageScout) => {
      this.#judge(scout, request);
      store.requireSpace(scout);
      // Only now: what was in the way has been removed.
      holds.use(store.collector.suspend());
    };
    const scouts = this.#mustScout(request);
    if (!scouts) holds.use(store.collector.suspend());
    const contents = await ingest(
      { path: file.path, architecture, dataDir: store.dir, stagingId: "ingest", trust },
      onProgress,
      signal,
      scouts ? admit : undefined,
    );
    this.#record(request, contents);
    return contents;
  }

  #mustScout({ file, tight }: IntakeRequest): boolean {
    const { store, trust } = this.#options;
    return tight || trust.length > 0 || availableBytes(store.disk()) < AMPLE * file.size;
  }

  /** @throws {IngestError} `OlderVersion`, `AlreadySuperseded`. */
  #judge(identity: PackageIdentity, { repairs }: IntakeRequest): void {
    const { definition, digest, trust } = identity;
    // The ledger knows signed packages only: nobody else may move it.
    if (trust.state !== "Verified" || digest === repairs) return;
    if (definition.metadata.annotations[ALLOW_OLDER] === "true") return;
    const refusal = this.#options.store.ledger.judge(entryOf(identity));
    if (refusal === undefined) return;
    const { name, version } = refusal.by;
    const text = {
      OlderVersion: `its version ${definition.metadata.version || "(none)"} is below ${version}, ` +
        "which this node has accepted",
      AlreadySuperseded: `this very package was superseded by ${name} ${
        version || refusal.by.digest
      }`,
    };
    throw new IngestError(
      refusal.reason,
      `zarf.yaml: ${text[refusal.reason]}; nothing of the package was taken in; use a newer ` +
        `package, or sign one that has the annotation ${ALLOW_OLDER}: "true"`,
      "terminal",
    );
  }

  /** Judged again: the file may be another one than was looked over. */
  #record(request: IntakeRequest, contents: PackageContents): void {
    const { store, clock } = this.#options;
    try {
      this.#judge(contents, request);
      requireSame(contents, request);
    } catch (error) {
      store.collector.discard(contents.blobs.map(({ digest }) => digest));
      throw error;
    }
    // What is repaired keeps its record and its place: it is no wish to deploy it anew.
    if (request.repairs !== undefined) return;
    if (contents.trust.state === "Verified") store.ledger.note(entryOf(contents));
    store.records.putPackage(packageRecord(request.file, contents, clock.now()));
    failpoint("drop.recorded");
  }
}

/** @throws {IngestError} `FileChanged`. */
function requireSame({ digest }: PackageIdentity, { repairs }: IntakeRequest): void {
  if (repairs === undefined || digest === repairs) return;
  throw new IngestError(
    "FileChanged",
    "the file holds another package than was accepted from it",
    "terminal",
  );
}

function entryOf({ definition, digest }: PackageIdentity): LedgerEntry {
  const { name, version } = definition.metadata;
  return { name, version, digest };
}
