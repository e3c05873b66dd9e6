import type { ByteSource, PackageContents, ReadOptions } from "./types.ts";

/** The shape that other rooms are written against; the reader itself follows. */
export function readPackage(
  _source: ByteSource,
  _options: ReadOptions,
): Promise<PackageContents> {
  return Promise.reject(new Error("the package reader is not there yet"));
}
