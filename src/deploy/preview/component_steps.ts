import type { ZarfComponent } from "../../package/mod.ts";
import {
  type ActionStage,
  type PlacedAction,
  stageOf,
  substitute,
  titleOf,
} from "../action_text.ts";
import { stepOf } from "../actions.ts";
import { redactor } from "../redact.ts";
import type { RepositoryTarget } from "../repositories.ts";
import type { Scope } from "../scope.ts";
import { STEPS } from "../steps.ts";
import type {
  PlannedAction,
  PlannedFiles,
  PlannedHealthChecks,
  PlannedInjection,
  PlannedRepository,
} from "./plan.ts";

/** The actions of one stage as they stand in the package; no secret is shown. */
export function plannedActions(
  stage: ActionStage,
  component: ZarfComponent,
  scope: Scope,
): PlannedAction[] {
  const redact = redactor(scope.secrets());
  return stageOf(component.actions.onDeploy, stage).map((placed) => ({
    kind: "action",
    step: stepOf(component.name, placed),
    stage,
    title: redact(titleOf(placed)),
    text: redact(textOf(placed, scope)),
    sets: [
      ...placed.action.setVariables.map(({ name }) => name.toUpperCase()),
      ...placed.action.setValues.map(({ key }) => key),
    ],
  }));
}

/** A command is the shell's to fill in; a wait is filled in here. */
function textOf({ action }: PlacedAction, { templates }: Scope): string {
  const { cluster, network } = action.wait ?? {};
  if (cluster !== undefined) {
    const place = cluster.namespace === "" ? [] : ["in", cluster.namespace];
    const condition = cluster.condition === "" ? [] : ["until", cluster.condition];
    return substitute(
      ["wait for", cluster.kind, cluster.name, ...place, ...condition].join(" "),
      templates,
    );
  }
  if (network === undefined) return action.cmd;
  const code = network.code === 0 ? [] : ["until", String(network.code)];
  const text = ["wait for", network.protocol, network.address, ...code].join(" ");
  return substitute(text, templates);
}

/** The files of a component, which are one step. */
export function plannedFiles(component: ZarfComponent): PlannedFiles[] {
  if (component.files.length === 0) return [];
  const files = component.files.map(({ target, symlinks, executable }) => ({
    ...{ target, symlinks, executable },
  }));
  return [{ kind: "files", step: STEPS.files(component.name), files }];
}

/** The git repositories of a component. */
export function plannedRepositories(
  component: ZarfComponent,
  target: RepositoryTarget | undefined,
): PlannedRepository[] {
  // What has no target is refused beforehand.
  if (target === undefined) return [];
  return component.repos.map((url) => {
    const name = target.nameOf(url);
    return { kind: "repository", step: STEPS.repository(component.name, name), name };
  });
}

/** Data that is put into running pods. */
export function plannedInjections(component: ZarfComponent): PlannedInjection[] {
  return component.dataInjections.map(({ target }, index) => ({
    kind: "dataInjection",
    step: STEPS.injection(component.name, index),
    target: `${target.path} of container ${target.container} in pods ${target.selector} ` +
      `in ${target.namespace}`,
  }));
}

/** What is waited for at a component's end. */
export function plannedHealthChecks(component: ZarfComponent): PlannedHealthChecks[] {
  if (component.healthChecks.length === 0) return [];
  const objects = component.healthChecks.map(({ apiVersion, kind, name, namespace }) =>
    `${apiVersion} ${kind} ${name}${namespace === "" ? "" : ` in ${namespace}`}`
  );
  return [{ kind: "healthChecks", objects }];
}
