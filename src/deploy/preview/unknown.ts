import type { ZarfComponent } from "../../package/mod.ts";
import { type ActionStage, stageOf } from "../action_text.ts";
import type { Scope } from "../scope.ts";

const VARIABLE = /###ZARF_VAR_(\w+)###/g;
const VALUE = /###ZARF_VALUE_([^#]+)###/g;

/**
 * What actions set before a step is known only when they have run. In a plan each of them stands
 * for itself, so that what is made with it can be told from the rest.
 */
export class Unknown {
  readonly #variables = new Set<string>();
  readonly #values = new Set<string>();
  #commands = false;

  /** Whether a command has run before, which may have done anything to the cluster. */
  get afterCommands(): boolean {
    return this.#commands;
  }

  /** Goes past the actions of a stage. */
  pass(stage: ActionStage, component: ZarfComponent, scope: Scope): void {
    for (const { action } of stageOf(component.actions.onDeploy, stage)) {
      if (action.wait === undefined) this.#commands = true;
      for (const { name } of action.setVariables) {
        const variable = name.toUpperCase();
        this.#variables.add(variable);
        scope.setVariable(variable, { value: `###ZARF_VAR_${variable}###`, sensitive: false });
      }
      for (const { key } of action.setValues) {
        this.#values.add(key);
        // The root is a map of whatever comes; nothing can stand for it.
        if (key === ".") continue;
        scope.setValue({ path: key, text: `###ZARF_VALUE_${key}###`, type: "string" });
      }
    }
  }

  /** The variables and values that a rendered text has and that are not known. */
  in(text: string): string[] {
    const variables = [...text.matchAll(VARIABLE)].map(([, name = ""]) => name);
    const values = [...text.matchAll(VALUE)].map(([, key = ""]) => key);
    return [
      ...variables.filter((name) => this.#variables.has(name)),
      ...values.filter((key) => this.#values.has(key)),
    ].sort().filter((name, index, all) => name !== all[index - 1]);
  }

  /** Everything that is not known; what cannot be rendered may need it. */
  get all(): string[] {
    return [...this.#variables, ...this.#values].sort();
  }
}
