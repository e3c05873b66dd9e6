import type { DeployContext, DeployPackage } from "./context.ts";
import { redactor } from "./redact.ts";

/** What nobody may read in what is said of a deployment. */
export class Secrets {
  /** What is secret once the deployment has begun; actions add to it. */
  known: () => readonly string[];

  /** Until then it is what sensitive variables are given. */
  constructor({ definition }: DeployPackage, { variables = {} }: DeployContext) {
    const given = new Map(
      Object.entries(variables).map(([name, value]) => [name.toUpperCase(), value]),
    );
    const values = definition.variables.filter(({ sensitive }) => sensitive)
      .map(({ name, default: fallback }) => given.get(name.toUpperCase()) ?? fallback ?? "");
    this.known = () => values;
  }

  /** Hides it in a text. */
  redact(text: string): string {
    return redactor(this.known())(text);
  }
}
