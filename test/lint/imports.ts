/**
 * The part of `deno task check` that Deno does not bring: the import table of the rooms, their doors,
 * cycles, and what may not stand in a file. Ends with 1 and one line per finding.
 *
 * @module
 */
import { requireDeno } from "../../extension/build/deno_version.ts";
import { readImports } from "./graph.ts";
import { checkText } from "./hygiene.ts";
import { checkCycles, checkDoors, checkImports, type Finding } from "./rules.ts";

/** Folders whose TypeScript has to keep the import rules. */
const CODE = /^(main\.ts$|(src|test|bench|extension|examples)\/.*\.ts$)/;
/** What is made, fetched, or data of others. */
const SKIPPED = /^(\.git|\.cache|dist|node_modules|test\/fixtures|bench\/results)$/;
/** Licence texts and sums are others' words. */
const OTHERS_TEXT = /(^|\/)(LICENSE|go\.sum)$/;

/** Every finding in the repository at `root`, in the order of files and lines. */
export async function lint(root: string): Promise<Finding[]> {
  const files = (await filesBelow(root, "")).sort();
  const imports = await readImports(root, files.filter((file) => CODE.test(file)));
  const findings = [
    ...checkImports(imports),
    ...checkCycles(imports),
    ...checkDoors(files, (file) => Deno.readTextFileSync(`${root}/${file}`)),
    ...(await Promise.all(files.map((file) => hygiene(root, file)))).flat(),
  ];
  return findings.sort((a, b) => a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line);
}

async function hygiene(root: string, file: string): Promise<Finding[]> {
  if (OTHERS_TEXT.test(file)) return [];
  const bytes = await Deno.readFile(`${root}/${file}`);
  return bytes.includes(0) ? [] : checkText(file, new TextDecoder().decode(bytes));
}

async function filesBelow(root: string, directory: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(`${root}/${directory}`)) {
    const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
    if (SKIPPED.test(path)) continue;
    if (entry.isDirectory) files.push(...await filesBelow(root, path));
    else if (entry.isFile) files.push(path);
  }
  return files;
}

if (import.meta.main) {
  requireDeno();
  const root = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");
  const findings = await lint(root);
  const report = findings.map(({ file, line, message }) => `${file}:${line}: ${message}\n`);
  Deno.stderr.writeSync(new TextEncoder().encode(report.join("")));
  if (findings.length > 0) Deno.exit(1);
}
