import type { ZarfComponent } from "../package/mod.ts";
import { actionsOf, nameOf } from "./action_text.ts";
import { DeployError } from "./errors.ts";

/** Whose commands may run: those of trusted packages, of all, of none. */
export type ActionPolicy = "trusted" | "always" | "never";

/** What decides whether a package's commands run. */
export interface ActionRights {
  readonly policy: ActionPolicy;
  /** Whether a trusted key has signed the package. */
  readonly trusted: boolean;
}

/**
 * Refuses actions that will not be run: commands against the policy, other shells than `sh`, waits for
 * nothing. Waits run nothing of the package and are allowed under every policy.
 *
 * @throws {DeployError} `ActionsRefused` or `PackageBroken`, naming component and action.
 */
export function checkActions(
  components: readonly ZarfComponent[],
  rights: ActionRights,
): void {
  for (const component of components) {
    for (const placed of actionsOf(component)) {
      const { action } = placed;
      const name = `component "${component.name}": ${nameOf(placed)}`;
      if (action.wait !== undefined) {
        if (action.wait.cluster === undefined && action.wait.network === undefined) {
          throw refused("PackageBroken", `${name} waits for nothing`, "build the package again");
        }
        continue;
      }
      const shell = (action.shell ?? component.actions.onDeploy.defaults.shell)?.linux || "sh";
      if (shell !== "sh") {
        const why = `${name} asks for the shell "${shell}", and only sh is there`;
        throw refused("ActionsRefused", why, "build the package with actions for sh");
      }
      const forbidden = forbiddenBy(rights);
      if (forbidden !== undefined) {
        throw refused(
          "ActionsRefused",
          `${name} may not run: ${forbidden}`,
          "sign the package with a trusted key, or start the agent with another --actions",
        );
      }
    }
  }
}

function forbiddenBy({ policy, trusted }: ActionRights): string | undefined {
  if (policy === "never") return "no actions are run here (actions: never)";
  return policy === "trusted" && !trusted
    ? "no trusted key has signed the package (actions: trusted)"
    : undefined;
}

function refused(
  reason: "ActionsRefused" | "PackageBroken",
  message: string,
  remedy: string,
): DeployError {
  return new DeployError({ reason, message, kept: "the cluster was not touched", remedy });
}
