import { packageFormat } from "../package/mod.ts";

/** What file systems and Windows keep on a medium. */
const SYSTEM_FOLDERS: readonly string[] = [
  "System Volume Information",
  "$RECYCLE.BIN",
  "lost+found",
];

/**
 * Whether nothing by this name is looked at. Hidden files are what rsync, scp clients and browsers
 * copy into before they rename.
 */
export function isPassedOver(name: string): boolean {
  return name.startsWith(".") || SYSTEM_FOLDERS.includes(name);
}

/**
 * Whether a file of this name is taken for a package. In deeper folders only the names that Zarf
 * gives are (Zarf 0.84, layout/package.go FileName, config.go GetInitPackageName): other tars there
 * may be parts of an unpacked package, also of one that is half copied.
 *
 * @param folder Name of the folder that it lies in; undefined for the drop directory itself.
 */
export function isPackageName(name: string, folder: string | undefined): boolean {
  const format = packageFormat(name);
  if (format === undefined) return false;
  if (folder === undefined) return true;
  // A component may be named as packages are; its tar is never compressed.
  if (folder === "components" && format === "tar") return false;
  return /^zarf-(package|init)-/.test(name);
}
