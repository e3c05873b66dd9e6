/**
 * The zoo: one package file for each way in which a package can be wrong, made from good ones, with
 * the reason for which it is refused and the part that the message names; and good ones that only
 * look odd.
 *
 * @module
 */
import { badArchives } from "./archives.ts";
import type { BadPackage } from "./bad_package.ts";
import { badChecksums } from "./checksums.ts";
import { badComponents } from "./components.ts";
import { badDefinitions } from "./definitions.ts";
import { badEntries } from "./entries.ts";
import { badHeaders } from "./headers.ts";
import { badImages } from "./images.ts";
import type { GoodPackage } from "./good.ts";
import { badSignatures } from "./signatures.ts";

export type { BadPackage } from "./bad_package.ts";
export { type GoodPackage, goodPackages } from "./good.ts";

/** All of them; none shares a file name with another. */
export function badPackages(): BadPackage[] {
  return [
    ...badArchives(),
    ...badHeaders(),
    ...badEntries(),
    ...badChecksums(),
    ...badDefinitions(),
    ...badComponents(),
    ...badImages(),
    ...badSignatures(),
  ];
}

/** The name of its file. */
export function fileName({ name, format }: BadPackage | GoodPackage): string {
  return `${name}.${format}`;
}
