import type { ZarfPackage } from "../package/mod.ts";
import type { ZarfState } from "../zarf/mod.ts";
import type { ValuesLayer } from "./go_template.ts";
import type { Templates } from "./template.ts";
import { type ResolvedVariable, type ResolvedVariables, templatesFor } from "./variables.ts";

/** A value of the package's values that an action has set. */
export interface SetValue {
  /** `.a.b` */
  readonly path: string;
  readonly text: string;
  readonly type: "string" | "yaml" | "json";
}

/**
 * What is put into a package's texts and given to its actions. Actions add to it while the package is
 * deployed, and what comes after them sees that.
 */
export class Scope {
  readonly #definition: Pick<ZarfPackage, "constants">;
  readonly #state: ZarfState;
  readonly #variables: Map<string, ResolvedVariable>;
  readonly #values: ValuesLayer[];
  #marker: string | undefined;
  #templates: Templates;

  constructor(
    definition: Pick<ZarfPackage, "constants">,
    variables: ResolvedVariables,
    state: ZarfState,
    values: readonly ValuesLayer[] = [],
  ) {
    this.#definition = definition;
    this.#state = state;
    this.#variables = new Map(variables);
    this.#values = [...values];
    this.#templates = templatesFor(definition, this.#variables, state);
  }

  get variables(): ResolvedVariables {
    return this.#variables;
  }

  get templates(): Templates {
    return this.#templates;
  }

  /** The package's values; what actions have set lies over all others. */
  get values(): readonly ValuesLayer[] {
    return this.#values;
  }

  /**
   * The file whose coming says that data injected into a pod is complete. A deployment has one of its
   * own: what an earlier one left on a volume counts for nothing. Undefined before it has begun.
   */
  get marker(): string | undefined {
    return this.#marker;
  }

  /**
   * Says when the deployment began, which its marker is named by (Zarf 0.84, src/config/config.go).
   *
   * @param seconds since 1970
   */
  begin(seconds: number): void {
    this.#marker = `.zarf-injection-${seconds}`;
    this.#refresh();
  }

  /** Sets a variable, in place of what it was. */
  setVariable(name: string, variable: ResolvedVariable): void {
    this.#variables.set(name.toUpperCase(), variable);
    this.#refresh();
  }

  #refresh(): void {
    const { constants } = this.#definition;
    this.#templates = templatesFor({ constants }, this.#variables, this.#state, this.#marker);
  }

  /** Sets a part of the package's values, in place of what it was. */
  setValue(value: SetValue): void {
    this.#values.push({ set: value });
  }

  /**
   * All templates as variables of an environment: `ZARF_VAR_X` and `TF_VAR_x`, `ZARF_CONST_X` and
   * `zarf_const_x`, `ZARF_REGISTRY` … (Zarf 0.84, src/pkg/packager/actions/actions.go actionGetCfg).
   * Of a variable of type `file` it is the path.
   */
  environment(): Record<string, string> {
    const environment: Record<string, string> = {};
    for (const [key, { value }] of this.#templates) {
      const name = key.replaceAll("#", "");
      const given = name.startsWith(VARIABLE_PREFIX)
        ? this.#variables.get(name.slice(VARIABLE_PREFIX.length))?.given
        : undefined;
      environment[name] = given ?? value;
      environment[name.toLowerCase().replaceAll("zarf_var", "TF_VAR")] = given ?? value;
    }
    return environment;
  }

  /** What nobody may read in a log: values of sensitive variables, passwords of registry and git. */
  secrets(): string[] {
    const { registryInfo, gitServer } = this.#state;
    return [
      ...[...this.#variables.values()].filter((one) => one.sensitive).map((one) => one.value),
      ...[registryInfo.pushPassword, registryInfo.pullPassword, registryInfo.secret],
      ...[gitServer.pushPassword, gitServer.pullPassword],
    ];
  }
}

const VARIABLE_PREFIX = "ZARF_VAR_";
