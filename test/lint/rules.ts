import type { Import } from "./graph.ts";
import { IMPORT_TABLE, type Room } from "./table.ts";

/** A breach of a rule and its place. */
export interface Finding {
  /** From the repository's root. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** A sentence that says what is wrong and, if it is not plain, what to do. */
  readonly message: string;
}

/** Imports that the table, the doors or the list of packages do not allow. */
export function checkImports(imports: readonly Import[]): Finding[] {
  return imports.flatMap((one) => {
    const message = breach(one);
    return message === undefined ? [] : [{ file: one.from, line: one.line, message }];
  });
}

function breach({ from, to, specifier }: Import): string | undefined {
  if (/^(npm|jsr|https?):/.test(specifier)) {
    return `"${specifier}" is imported in place; add it to the imports of deno.json and use its name.`;
  }
  if (to === undefined) return undefined;
  const here = roomOf(from);
  const there = roomOf(to);
  if (there === here) return undefined;
  if (there === undefined) {
    if (here === undefined || isTest(from)) return undefined;
    return `${from} belongs to the program, which may not import ${to} from outside src.`;
  }
  if (there !== "main.ts" && to !== `src/${there}/mod.ts`) {
    return `${to} is imported past the room's door; import src/${there}/mod.ts.`;
  }
  // A unit test may fetch what it needs from any room, as long as it uses the door.
  if (here === undefined || isTest(from) || mayImport(here, there)) return undefined;
  return `src/${here} may not import src/${there} (import table, test/lint/table.ts).`
    .replace("src/main.ts", "main.ts");
}

function mayImport(here: Room, there: Room): boolean {
  return there === "std" || (IMPORT_TABLE[here]?.includes(there) ?? false);
}

/** The room that a file of the program belongs to; undefined for everything else. */
function roomOf(file: string): Room | undefined {
  return file === "main.ts" ? file : /^src\/([^/]+)\//.exec(file)?.[1];
}

function isTest(file: string): boolean {
  return file.endsWith("_test.ts");
}

/** Each cycle of imports that exist at run time, once, at one of the imports that close it. */
export function checkCycles(imports: readonly Import[]): Finding[] {
  const outgoing = new Map<string, Import[]>();
  for (const one of imports) {
    if (one.typeOnly || one.to === undefined) continue;
    outgoing.set(one.from, [...outgoing.get(one.from) ?? [], one]);
  }
  const findings: Finding[] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    for (const { to, from, line } of outgoing.get(file) ?? []) {
      if (to === undefined || finished.has(to)) continue;
      const start = path.indexOf(to);
      if (start < 0) visit(to, [...path, to]);
      else {
        const cycle = [...path.slice(start), to].join(" -> ");
        findings.push({ file: from, line, message: `The imports go round: ${cycle}.` });
      }
    }
    finished.add(file);
  };
  for (const file of [...outgoing.keys()].sort()) {
    if (!finished.has(file)) visit(file, [file]);
  }
  return findings;
}

/**
 * Rooms that the table does not know, and rooms without a door that says what they promise.
 *
 * @param files of the repository, from its root.
 * @param read gives a file's text.
 */
export function checkDoors(files: readonly string[], read: (file: string) => string): Finding[] {
  const rooms = new Set(files.flatMap((file) => file.startsWith("src/") ? roomOf(file) ?? [] : []));
  return [...rooms].sort().flatMap((room) => {
    const door = `src/${room}/mod.ts`;
    const message = doorBreach(room, files.includes(door) ? read(door) : undefined);
    return message === undefined ? [] : [{ file: door, line: 1, message }];
  });
}

function doorBreach(room: Room, text: string | undefined): string | undefined {
  if (!(room in IMPORT_TABLE)) {
    return `The room ${room} is not in the import table (test/lint/table.ts).`;
  }
  if (text === undefined) return `The room ${room} has no mod.ts.`;
  if (/^\/\*\*(?:(?!\*\/)[^])*@module(?:(?!\*\/)[^])*\*\//.test(text)) return undefined;
  return `The door of ${room} does not begin with a module comment ("/** … @module */") ` +
    "that says what the room promises.";
}
