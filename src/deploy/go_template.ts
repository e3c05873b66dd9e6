import * as v from "valibot";
import type { Exec } from "../std/mod.ts";
import { DeployError } from "./errors.ts";

/** How long filling in one component's templates may take, in milliseconds. */
const TIMEOUT = 60_000;
/** The longest answer, in bytes. */
const MAX_ANSWER = 128 << 20;
/** The longest error text that is passed on, in characters. */
const MAX_ERROR = 1_500;

/** One thing that a package's values come from; a later one wins. */
export type ValuesLayer =
  /** A YAML document: maps are merged, everything else is replaced. */
  | { readonly yaml: string }
  /**
   * One value at a path (`.a.b`; `.` is the root). `inferred` is for what a person writes: `true`, `12`
   * and `text`; `'12'` is text. The other types are those of an action's `setValues`.
   */
  | {
    readonly set: {
      readonly path: string;
      readonly text: string;
      readonly type: "inferred" | "string" | "yaml" | "json";
    };
  };

/** What templates see; what is left out is not there for them. May be secret. */
export interface TemplateObjects {
  /** `.Values` */
  readonly values: readonly ValuesLayer[];
  /** `.Pkg`: the definition as JSON, as Zarf writes it. */
  readonly package?: string;
  /** `.Constants` by name. */
  readonly constants: Readonly<Record<string, string>>;
  /** `.Variables` by upper-case name. */
  readonly variables: Readonly<Record<string, string>>;
  /** `.State` */
  readonly state?: Readonly<Record<string, unknown>>;
}

/** A template and what to call it in messages. */
export interface GoTemplateText {
  readonly name: string;
  readonly text: string;
}

/** A part of the package's values and its place among a chart's. */
export interface ValueMapping {
  readonly sourcePath: string;
  readonly targetPath: string;
  readonly excludePaths: readonly string[];
}

/** What Helm is given for a chart beside its values files. */
export interface ChartValues {
  /** A JSON document, to be the last values file. */
  readonly json: string;
  /** What `--set` has: whole numbers that a values file would make floating ones. */
  readonly set: readonly string[];
}

/** Of each task what came of it, or why nothing did. */
export type TaskResult<T> = { readonly value: T } | { readonly error: string };

const answerSchema = v.object({
  error: v.exactOptional(v.string()),
  results: v.nullable(v.array(v.object({
    error: v.exactOptional(v.string()),
    text: v.exactOptional(v.string()),
    references: v.exactOptional(v.array(v.array(v.string()))),
    problems: v.exactOptional(v.array(v.string())),
    chart: v.exactOptional(v.object({ json: v.string(), set: v.array(v.string()) })),
    value: v.exactOptional(v.unknown()),
  }))),
});
type Result = NonNullable<v.InferOutput<typeof answerSchema>["results"]>[number];

/** What {@linkcode GoTemplates} works with. */
export interface GoTemplateOptions {
  readonly exec: Exec;
  /** Path of the program that is `helm`, too. */
  readonly helm: string;
  readonly signal?: AbortSignal;
}

const NO_OBJECTS: TemplateObjects = { values: [], constants: {}, variables: {} };

/**
 * Fills in Go templates and works with package values as Zarf 0.84 does (src/pkg/template,
 * src/pkg/value): by `helm gotemplate`, a child process that is given everything on its standard
 * input and can reach nothing else. Each call starts it once.
 */
export class GoTemplates {
  readonly #options: GoTemplateOptions;

  constructor(options: GoTemplateOptions) {
    this.#options = options;
  }

  /**
   * Fills in each of the templates.
   *
   * @throws {DeployError} `TemplateFailed` with the first template's name that cannot be.
   */
  async render(templates: readonly GoTemplateText[], objects: TemplateObjects): Promise<string[]> {
    if (templates.length === 0) return [];
    const tasks = templates.map((template) => ({ kind: "render", ...template }));
    const results = await this.#run(tasks, objects);
    return results.map(({ error, text = "" }, index) => {
      if (error === undefined) return text;
      throw failed(`${templates[index]?.name}: ${error}`);
    });
  }

  /** The `.Values` paths that each text names as far as that can be told without filling it in. */
  async references(texts: readonly string[]): Promise<TaskResult<string[][]>[]> {
    if (texts.length === 0) return [];
    const results = await this.#run(texts.map((text) => ({ kind: "references", text })));
    return results.map(({ error, references = [] }) =>
      error === undefined ? { value: references } : { error }
    );
  }

  /** The layers laid over each other. @throws {DeployError} `ValuesInvalid`. */
  async merged(values: readonly ValuesLayer[]): Promise<unknown> {
    const [result] = await this.#run([{ kind: "merged" }], { ...NO_OBJECTS, values });
    return result?.value;
  }

  /**
   * What of the values a JSON schema does not allow.
   *
   * @throws {DeployError} `ValuesInvalid`, also when the schema cannot be used.
   */
  async validate(schema: string, values: readonly ValuesLayer[]): Promise<string[]> {
    const tasks = [{ kind: "validate", text: schema }];
    const [result] = await this.#run(tasks, { ...NO_OBJECTS, values });
    if (result?.error !== undefined) throw invalidValues(`values.schema.json: ${result.error}`);
    return result?.problems ?? [];
  }

  /**
   * What a chart is given: what its variables set, and over that parts of the package's values.
   *
   * @throws {DeployError} `ValuesInvalid`, naming the path.
   */
  async chart(
    base: Readonly<Record<string, unknown>>,
    mappings: readonly ValueMapping[],
    values: readonly ValuesLayer[],
  ): Promise<ChartValues> {
    const tasks = [{ kind: "chart", base, mappings }];
    const [result] = await this.#run(tasks, { ...NO_OBJECTS, values });
    if (result?.chart !== undefined) return result.chart;
    throw invalidValues(result?.error ?? "no answer");
  }

  /** A TOML document. `error` says the line and shows nothing of it. */
  async toml(text: string): Promise<TaskResult<unknown>> {
    const [result] = await this.#run([{ kind: "toml", text }]);
    return result?.error === undefined ? { value: result?.value } : { error: result.error };
  }

  async #run(tasks: readonly unknown[], objects = NO_OBJECTS): Promise<Result[]> {
    const { exec, helm, signal } = this.#options;
    const { package: definition, ...others } = objects;
    const request = JSON.stringify({
      ...others,
      ...(definition === undefined ? {} : { package: JSON.parse(definition) }),
      tasks,
    });
    const result = await exec(helm, {
      args: ["gotemplate"],
      env: {},
      stdin: request,
      timeout: TIMEOUT,
      maxOutput: MAX_ANSWER,
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.timedOut) throw failed(`filling in took more than ${TIMEOUT / 1000} s`);
    const answer = result.code === 0 ? parseAnswer(result.stdout) : undefined;
    if (answer === undefined) throw failed(firstLine(result.stderr));
    if (answer.error !== undefined) throw invalidValues(answer.error);
    return answer.results ?? [];
  }
}

function parseAnswer(text: string): v.InferOutput<typeof answerSchema> | undefined {
  try {
    return v.parse(answerSchema, JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Go follows the reason with every stack. */
function firstLine(stderr: string): string {
  return stderr.split("\n", 1)[0] || "the program that fills in templates gave no answer";
}

function failed(why: string): DeployError {
  return new DeployError({
    reason: "TemplateFailed",
    message: `a Go template cannot be filled in: ${why.slice(0, MAX_ERROR)}`,
    remedy: "set what it needs in the settings of the package, or build the package again",
  });
}

function invalidValues(why: string): DeployError {
  return new DeployError({
    reason: "ValuesInvalid",
    message: `the values of the package cannot be used: ${why.slice(0, MAX_ERROR)}`,
    remedy: "mend the values in the settings of the package, or build the package again",
  });
}
