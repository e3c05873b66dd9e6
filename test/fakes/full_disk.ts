import {
  type DiskSpace,
  type StoreFs,
  type StoreOptions,
  systemStoreFs,
} from "../../src/store/mod.ts";
import { loggerOf } from "./testing.ts";

/** A data disk on which no file can be made until it is told to; what is there can be read. */
export class FullDisk {
  isFull = true;
  space: DiskSpace = { total: 10e9, free: 0, freeFiles: 1e6 };
  readonly fs: StoreFs;
  /** What the store has logged. */
  readonly lines: string[];
  /** For a store that is opened on it. */
  readonly options: StoreOptions;

  constructor() {
    const full = <A extends unknown[], R>(real: (...args: A) => R) => (...args: A): R => {
      if (this.isFull) {
        throw Object.assign(new Error("failed by the test: ENOSPC"), { code: "ENOSPC" });
      }
      return real(...args);
    };
    this.fs = {
      ...systemStoreFs,
      create: full(systemStoreFs.create),
      writeNew: full(systemStoreFs.writeNew),
      mkdir: full(systemStoreFs.mkdir),
      touch: (path, mode) =>
        (path.endsWith(".lock") ? systemStoreFs.touch : full(systemStoreFs.touch))(path, mode),
    };
    const { logger, lines } = loggerOf("info");
    this.lines = lines;
    this.options = { fs: this.fs, logger, disk: () => this.space, mayFreeze: true };
  }

  /** There is room for everything. */
  free(): void {
    this.isFull = false;
    this.space = { total: 10e9, free: 5e9, freeFiles: 1e6 };
  }
}
