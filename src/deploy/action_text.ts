import type { ZarfAction, ZarfActionSet, ZarfComponent } from "../package/mod.ts";
import type { Templates } from "./template.ts";

/** When actions run, by their name in the package. */
export type ActionStage = "before" | "after" | "onSuccess" | "onFailure";

/** The stages of a deployment that actions have, in order. */
export const ACTION_STAGES: readonly ActionStage[] = ["before", "after", "onSuccess", "onFailure"];

/** One action and where it stands in its component. */
export interface PlacedAction {
  readonly stage: ActionStage;
  readonly index: number;
  readonly action: ZarfAction;
}

/** All actions of a component's deployment. */
export function actionsOf({ actions }: ZarfComponent): PlacedAction[] {
  return ACTION_STAGES.flatMap((stage) => stageOf(actions.onDeploy, stage));
}

/** The actions of one stage. */
export function stageOf(set: ZarfActionSet, stage: ActionStage): PlacedAction[] {
  return set[stage].map((action, index) => ({ stage, index, action }));
}

/** The longest part of a command that stands for it (Zarf 0.84, actions.go). */
const MAX_TITLE = 60;

/** What an action is called: its description, else its command or what it waits for, cut short. */
export function titleOf({ action }: Pick<PlacedAction, "action">): string {
  if (action.description !== "") return action.description;
  const { cluster, network } = action.wait ?? {};
  const waited = cluster === undefined
    ? network === undefined ? undefined : `wait for ${network.protocol} ${network.address}`
    : `wait for ${cluster.kind} ${cluster.name}`.trimEnd();
  const text = (waited ?? action.cmd).trim().replaceAll("\n", "; ");
  return text.length <= MAX_TITLE ? text : `${text.slice(0, MAX_TITLE - 3)}...`;
}

/** An action as messages name it: `action onDeploy.before[0] "create the database"`. */
export function nameOf(placed: PlacedAction): string {
  return `action onDeploy.${placed.stage}[${placed.index}] ${JSON.stringify(titleOf(placed))}`;
}

/**
 * A command with `./zarf ` replaced by what calls it (Zarf 0.84, actions.go actionCmdMutation).
 *
 * @param zarf a command line
 */
export function withZarf(command: string, zarf: string): string {
  return command.replaceAll("./zarf ", () => `${zarf} `);
}

/**
 * Puts variables into a wait's text: `${ZARF_VAR_X}`, then `$ZARF_VAR_X`, longer names first (Zarf
 * 0.84, actions.go templateString).
 */
export function substitute(text: string, templates: Templates): string {
  const names = [...templates].map(([key, { value }]) => [key.replaceAll("#", ""), value] as const)
    .sort(([a], [b]) => b.length - a.length);
  const braced = names.reduce(
    (rest, [name, value]) => rest.replaceAll(`\${${name}}`, () => value),
    text,
  );
  return names.reduce((rest, [name, value]) => rest.replaceAll(`$${name}`, () => value), braced);
}
