import type { PackageContents } from "../package/mod.ts";
import { describeError, type Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { parseOutcome } from "./outcome.ts";
import type { DropOutcome, DroppedFile, FileIdentity } from "./types.ts";

/** What {@linkcode Reports} works with. */
export interface ReportsOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Told whenever more is known about a file; once for each file at the start. */
  readonly onChange: (file: DroppedFile) => void;
}

/** What was told of each file: it is told again only when it is something else. */
export class Reports {
  readonly #options: ReportsOptions;
  readonly #told = new Map<string, string>();

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /** Tells what is known of a file, and gives it back. */
  tell(file: FileIdentity, outcome: DropOutcome): DropOutcome {
    const text = JSON.stringify([file.size, String(file.mtimeNs), String(file.inode), outcome]);
    if (this.#told.get(file.path) !== text) {
      this.#told.set(file.path, text);
      this.#options.onChange({ ...file, outcome });
    }
    return outcome;
  }

  /** Forgets files that are gone; what was accepted under such a path is told again. */
  keepOnly(present: ReadonlySet<string>): void {
    for (const path of this.#told.keys()) if (!present.has(path)) this.#gone(path);
  }

  /** Logs that a package is in the store. */
  taken(message: string, file: FileIdentity, contents: PackageContents): void {
    const { definition, digest, trust, unknownFields } = contents;
    const { logger } = this.#options;
    if (unknownFields.length > 0) {
      logger.warn("the package has fields that Zarf does not know; they do nothing", {
        file: file.path,
        fields: unknownFields.join(", "),
      });
    }
    logger.info(message, {
      file: file.path,
      package: definition.metadata.name,
      digest,
      signature: trust.state,
      ...(trust.state === "Verified" ? { signedBy: trust.signedBy } : {}),
    });
  }

  /**
   * Whoever removes a package file by file leaves parts of it for a while; once all are gone, what is
   * known of the whole one counts again.
   */
  #gone(path: string): void {
    try {
      const record = this.#options.store.records.getDrop(path);
      const outcome = parseOutcome(record?.outcome);
      if (record !== undefined && outcome?.phase === "Accepted") this.tell(record, outcome);
      this.#told.delete(path);
    } catch (error) {
      this.#options.logger.debug(`asked again at the next look: ${describeError(error)}`, { path });
    }
  }
}
