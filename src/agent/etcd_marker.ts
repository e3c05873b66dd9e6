import * as v from "valibot";
import { HoldfastError, oneLine, writeFileAtomic } from "../std/mod.ts";

/** Why what is kept of a cluster's beginning cannot be used. */
export type EtcdMarkerReason = "MarkerUnreadable";

/** What is kept cannot be read. Then nobody can say what was done before, and nothing is done. */
export class EtcdMarkerError extends HoldfastError<EtcdMarkerReason> {}

/** Where a test may end the process around the file. */
export const ETCD_MARKER_FAILPOINTS = [
  "etcd.marker.written",
  "etcd.marker.renamed",
  "etcd.marker.synced",
] as const;

/** One life of a machine, and which runner of its service etcd. Both as Talos says, to be compared. */
export interface EtcdRunner {
  readonly life: string;
  readonly runner: string;
}

/** What this machine has to remember of the cluster's beginning. */
export interface EtcdMemory {
  /** The runner of the machine's last life that was seen first. */
  readonly boot?: EtcdRunner | undefined;
  /** The runner that Talos was, or was about to be, asked to take away for one that makes a cluster. */
  readonly asked?: EtcdRunner | undefined;
  /** The runner whose data was void and was, or was about to be, taken away. */
  readonly cleared?: EtcdRunner | undefined;
  /** A cluster was there once: how that was known. It is never taken back. */
  readonly seen?: string | undefined;
}

const VERSION = 1;
/** Characters of how a cluster was known. */
const MAX_SEEN = 300;

const runnerSchema = v.object({ life: v.string(), runner: v.string() });
const fileSchema = v.object({
  version: v.literal(VERSION),
  boot: v.optional(runnerSchema),
  asked: v.optional(runnerSchema),
  cleared: v.optional(runnerSchema),
  seen: v.optional(v.string()),
});

/** The file with it, below the data directory. What is written is on the disk when the call returns. */
export class EtcdMarker {
  readonly path: string;

  constructor(dataDir: string) {
    this.path = `${dataDir}/etcd-bootstrap.json`;
  }

  /** @throws {EtcdMarkerError} and what the file system throws. */
  read(): EtcdMemory {
    try {
      const { version: _, ...memory } = this.#parse(Deno.readTextFileSync(this.path));
      return memory;
    } catch (error) {
      // Any other failure to read it must not look like a machine that has nothing to remember.
      if (error instanceof Deno.errors.NotFound) return {};
      throw error;
    }
  }

  /** Writes it anew. @throws what the file system throws; the old one is then kept. */
  write(memory: EtcdMemory): void {
    const seen = memory.seen === undefined ? undefined : oneLine(memory.seen, MAX_SEEN);
    const text = JSON.stringify({ version: VERSION, ...memory, seen });
    writeFileAtomic(this.path, text, { name: "etcd.marker" });
  }

  #parse(text: string): v.InferOutput<typeof fileSchema> {
    try {
      return v.parse(fileSchema, JSON.parse(text));
    } catch (cause) {
      throw new EtcdMarkerError({
        reason: "MarkerUnreadable",
        message: `${this.path} cannot be read, so it is not known whether there was a cluster`,
        kept: "no cluster is made",
        remedy: "docs/talos-config.md says how to make one by hand",
        disposition: "wait",
        cause,
      });
    }
  }
}
