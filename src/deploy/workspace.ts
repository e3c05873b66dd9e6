import * as v from "valibot";
import { ensureDir, removeQuietly, writeFileAtomic } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { Flusher } from "./flush.ts";

/** The variables and values that an action has set. */
export interface ActionOutcome {
  readonly variables: readonly {
    readonly name: string;
    readonly value: string;
    readonly given?: string | undefined;
    readonly autoIndent: boolean;
    readonly sensitive: boolean;
  }[];
  readonly values: readonly {
    readonly path: string;
    readonly text: string;
    readonly type: "string" | "yaml" | "json";
  }[];
}

const outcomeSchema = v.object({
  variables: v.array(v.object({
    name: v.string(),
    value: v.string(),
    given: v.optional(v.string()),
    autoIndent: v.boolean(),
    sensitive: v.boolean(),
  })),
  values: v.array(v.object({
    path: v.string(),
    text: v.string(),
    type: v.picklist(["string", "yaml", "json"]),
  })),
});

/** What `outcomes.json` holds. */
const bookSchema = v.object({
  /** Of which deployment; another one must not go on from it. */
  deployment: v.string(),
  outcomes: v.record(v.string(), outcomeSchema),
});

/** What {@linkcode Workspace.open} needs. */
export interface WorkspaceOptions {
  /** `DATA/deploy/<package name>` */
  readonly root: string;
  /** Says which deployment it is for. */
  readonly deployment: string;
  /** The directory of helm and kubectl. */
  readonly tools: string;
  /** How Holdfast itself is called. @default there is no `zarf` but its kubectl and helm */
  readonly holdfast?: { readonly command: string; readonly args: readonly string[] };
}

/** Where a shell is looked for after the tools' directory; what an action's PATH goes on with. */
const SYSTEM_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** Only for the agent's own user: outcomes may be secret. */
const PRIVATE = 0o700;

/**
 * The private directory of one deployment, where its actions run. It is there until the deployment
 * has succeeded, so that one that was interrupted finds what its actions have left and set.
 */
export class Workspace {
  /** Where actions run and files with relative targets go. */
  readonly work: string;
  /** `$HOME`, and `~` of a file's target. */
  readonly home: string;
  /** `$TMPDIR` */
  readonly tmp: string;
  /** What `###ZARF_TEMP###` in a file's target stands for. */
  readonly temp: string;
  /** The shell that runs commands. */
  readonly shell: string;
  /** How a command line calls Zarf. */
  readonly zarf: string;
  /** `$PATH` */
  readonly path: string;
  readonly root: string;
  readonly #deployment: string;
  readonly #outcomes: Map<string, ActionOutcome>;
  readonly #flusher: Flusher;

  private constructor(options: WorkspaceOptions, outcomes: ReadonlyMap<string, ActionOutcome>) {
    const { root, tools, deployment } = options;
    this.root = root;
    this.#deployment = deployment;
    this.#outcomes = new Map(outcomes);
    this.work = `${root}/work`;
    this.home = `${root}/home`;
    this.tmp = `${root}/tmp`;
    this.temp = `${root}/package`;
    const bin = `${root}/bin`;
    for (const directory of [this.work, this.home, this.tmp, this.temp, bin]) ensureDir(directory);
    this.#flusher = new Flusher([this.work, this.home, this.temp]);
    this.shell = findShell([tools, ...SYSTEM_PATH]);
    this.path = [bin, tools, ...SYSTEM_PATH].join(":");
    writeShim(`${bin}/zarf`, this.shell, options);
    // Through the shell: the data directory's file system may forbid to execute what is on it.
    this.zarf = `${quoted(this.shell)} ${quoted(`${bin}/zarf`)}`;
  }

  /**
   * Opens the workspace of a deployment. One of another deployment is emptied first.
   *
   * @throws {DeployError} `ActionFailed` when there is no shell.
   */
  static open(options: WorkspaceOptions): Workspace {
    const kept = readBook(options.root, options.deployment);
    if (kept === undefined) removeQuietly(options.root);
    ensureDir(options.root);
    Deno.chmodSync(options.root, PRIVATE);
    const workspace = new Workspace(options, kept ?? new Map());
    if (kept === undefined) {
      workspace.#flusher.trust();
      workspace.#save();
    }
    return workspace;
  }

  /** Whether there is one that this deployment can go on in. */
  static holds(root: string, deployment: string): boolean {
    return readBook(root, deployment) !== undefined;
  }

  /** What the action of a step has set. */
  outcome(step: string): ActionOutcome | undefined {
    return this.#outcomes.get(step);
  }

  /** What the actions whose steps begin with `prefix` have set, in their order. */
  outcomes(prefix: string): ActionOutcome[] {
    return [...this.#outcomes].filter(([step]) => step.startsWith(prefix)).map(([, one]) => one);
  }

  /** Keeps what an action has set, durably. */
  keep(step: string, outcome: ActionOutcome): void {
    // Last in order, also where an earlier attempt has kept something.
    this.#outcomes.delete(step);
    this.#outcomes.set(step, outcome);
    this.#save();
  }

  /** Makes durable what an action has left: what is done is not run again. */
  flush(): void {
    this.#flusher.flush();
  }

  /** Takes one away, with everything in it. */
  static remove(root: string): void {
    removeQuietly(root);
  }

  #save(): void {
    const book = { deployment: this.#deployment, outcomes: Object.fromEntries(this.#outcomes) };
    writeFileAtomic(bookOf(this.root), JSON.stringify(book), { name: "deploy.outcomes" });
  }
}

function bookOf(root: string): string {
  return `${root}/outcomes.json`;
}

function readBook(root: string, deployment: string): Map<string, ActionOutcome> | undefined {
  try {
    const book = v.parse(bookSchema, JSON.parse(Deno.readTextFileSync(bookOf(root))));
    if (book.deployment !== deployment) return undefined;
    return new Map(Object.entries(book.outcomes));
  } catch {
    // Not there, or not as this version writes it: nothing to go on from.
    return undefined;
  }
}

function findShell(directories: readonly string[]): string {
  for (const directory of directories) {
    try {
      if (Deno.statSync(`${directory}/sh`).isFile) return `${directory}/sh`;
    } catch {
      // Not there.
    }
  }
  throw new DeployError({
    reason: "ActionFailed",
    message: "there is no shell (sh) that could run the package's actions",
    kept: "nothing of them was run",
    remedy: "put sh into the directory of --tools-dir",
    disposition: "wait",
  });
}

/** What `zarf` is for actions: kubectl and helm directly, the rest through Holdfast. */
function writeShim(path: string, shell: string, options: WorkspaceOptions): void {
  const { tools, holdfast } = options;
  const self = holdfast === undefined
    ? ["false"]
    : [holdfast.command, ...holdfast.args, "zarf"].map(quoted);
  const lines = [
    `#!${shell}`,
    'case "${1-} ${2-}" in',
    `"tools kubectl" | "t kubectl") shift 2; exec ${quoted(`${tools}/kubectl`)} "$@" ;;`,
    `"tools helm" | "t helm") shift 2; exec ${quoted(`${tools}/helm`)} "$@" ;;`,
    "esac",
    `exec ${self.join(" ")} "$@"`,
    "",
  ];
  Deno.writeTextFileSync(path, lines.join("\n"));
  Deno.chmodSync(path, PRIVATE);
}

/** A word of a shell's command line. What needs no quotes gets none: it may land between others. */
function quoted(word: string): string {
  return /^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
