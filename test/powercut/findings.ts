/** What must hold after a power cut; each is the name of what is wrong when it does not. */
export const RULES = {
  DatabaseDamaged: "the database is whole",
  RecordLost: "a package of which somebody was told that it is accepted has its record",
  RecordUnknown: "every record is that of a package that was dropped",
  BlobLost: "a recorded package has every blob",
  BlobDamaged: "what lies under the name of a digest has that digest",
  FileLost: "a recorded package has every file",
  FileDamaged: "a recorded package's files have their bytes",
  VerdictTorn: "a verdict is there whole or not at all",
  Unfinished: "nothing unfinished is left when all work is done",
  Stuck: "all work comes to an end by itself",
  WrongVerdict: "good packages end accepted, the others rejected",
  NotServed: "the node registry serves every image of an accepted package",
  EntryTorn: "an entry of the in-cluster registry is there whole or not at all",
  DataLost: "what an entry of the in-cluster registry stands for is there, with its bytes",
  LinkLost: "an image of which somebody was told that it is linked has all entries",
  RegistryFails: "the in-cluster registry answers 200 with the right bytes, or 404",
} as const;
/** One of {@linkcode RULES}. */
export type Rule = keyof typeof RULES;

/** One breach of a rule. */
export interface Finding {
  readonly rule: Rule;
  /** What exactly, in a few words. */
  readonly what: string;
}

/** Findings of one rule. */
export function findings(rule: Rule, whats: Iterable<string>): Finding[] {
  return [...whats].map((what) => ({ rule, what }));
}
