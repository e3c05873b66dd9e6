import type {
  DeploymentPlan,
  FieldChange,
  PlannedComponent,
  PlannedObject,
  PlannedReleaseStep,
  PlannedStep,
} from "../deploy/mod.ts";
import { renderBytes } from "../std/mod.ts";
import { pairs, printable } from "./table.ts";

/** What the command adds to a plan. */
export interface PlanDocument extends DeploymentPlan {
  /** The package file. */
  readonly file: string;
  readonly signature: string;
}

/** How many lines of a long text are shown on each side. */
const MAX_LINES = 20;
/** The longest value that is shown on the line of its field, in characters. */
const MAX_VALUE = 100;
/** How many changed fields of one object are shown; the other formats have all. */
const MAX_FIELDS = 40;

/** A plan for people. */
export function planText(plan: PlanDocument): string {
  const { name, version, architecture, digest } = plan.package;
  return pairs([
    ["package", [name, version, `(${architecture})`].filter(Boolean).join(" ")],
    ["digest", digest],
    ["signature", plan.signature],
    ["deployed", deployedText(plan)],
    ["variables", Object.entries(plan.variables).map((pair) => pair.join("=")).join(" ")],
    ["values", valueTexts(plan.values).join(" ")],
    ["images", imagesText(plan)],
    ["plan", plan.hash],
  ]) + [
    ...missingLines(plan),
    ...plan.components.flatMap(componentLines),
    ...noteLines("refused", plan.refused.map(({ reason, message }) => `${reason}: ${message}`)),
    ...noteLines("warning", plan.warnings),
  ].map((line) => `${printable(line)}\n`).join("");
}

/** `app.replicas=3`, each value that is not a map. */
function valueTexts(value: DeploymentPlan["values"], path = ""): string[] {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, each]) =>
      valueTexts(each, path === "" ? key : `${path}.${key}`)
    );
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return [`${path}=${text}`];
}

function deployedText({ deployed, bootstrap }: DeploymentPlan): string {
  if (bootstrap) return "no; the agent brings Zarf's state, the registry and the webhook first";
  if (deployed === undefined) return "no";
  return `${deployed.version || "yes"}, generation ${deployed.generation}`;
}

function imagesText({ images: { total, missing, bytes = 0 } }: DeploymentPlan): string {
  if (total === 0) return "none";
  if (missing === undefined) return `${total}; what is in the registry is not known`;
  return missing.length === 0
    ? `${total}, all in the registry`
    : `${total}, ${missing.length} not in the registry, ${renderBytes(bytes)} to send`;
}

function missingLines({ images: { missing = [] } }: DeploymentPlan): string[] {
  if (missing.length === 0) return [];
  return [
    "",
    "images to send",
    ...missing.map(({ image, digest, bytes }) => `  + ${image} ${digest} ${renderBytes(bytes)}`),
  ];
}

function noteLines(what: string, notes: readonly string[]): string[] {
  return notes.length === 0 ? [] : ["", ...notes.map((note) => `${what}: ${note}`)];
}

function componentLines(component: PlannedComponent): string[] {
  const { name, deployed, why, note, steps, onFailure } = component;
  if (!deployed) return ["", `component ${name}: left out (${why})`];
  return [
    "",
    `component ${name} (${why})${note === undefined ? "" : `: ${note}`}`,
    ...steps.flatMap(stepLines),
    ...onFailure.map((action) => `  should it fail: ${action.title}`),
  ].flatMap((line) => line.split("\n"));
}

function stepLines(step: PlannedStep): string[] {
  switch (step.kind) {
    case "action":
      return [
        `  action ${step.stage}: ${step.title}`,
        ...(step.text === step.title
          ? []
          : step.text.trimEnd().split("\n").map((line) => `      $ ${line}`)),
        ...(step.sets.length === 0 ? [] : [`      sets ${step.sets.join(", ")}`]),
      ];
    case "files":
      return step.files.map(({ target, symlinks, executable }) =>
        [
          `  file ${target}`,
          ...(executable ? ["(executable)"] : []),
          ...symlinks.map((link) => `<- ${link}`),
        ].join(" ")
      );
    case "repository":
      return [`  git repository ${step.name}`];
    case "dataInjection":
      return [`  data for ${step.target}`];
    case "healthChecks":
      return step.objects.map((object) => `  health check: ${object}`);
    case "release":
      return releaseLines(step);
  }
}

function releaseLines(step: PlannedReleaseStep): string[] {
  const { from, title, release, namespace, reason, namespaces, secrets, objects, waits } = step;
  const unchanged = objects.filter(({ outcome }) => outcome === "unchanged").length;
  return [
    `  ${from} ${title}: release ${release} in ${namespace}, ${actionText(step)}`,
    ...(reason === undefined ? [] : [`      ! ${reason}`]),
    ...namespaces.map((name) => `      + Namespace ${name}`),
    ...secrets.map((name) => `      + pull secret ${name}`),
    ...objects.flatMap(objectLines),
    ...(unchanged === 0 ? [] : [`      = ${unchanged} unchanged`]),
    ...(waits ? [] : ["      is not waited for"]),
  ];
}

function actionText({ action, revision, forgotten }: PlannedReleaseStep): string {
  const after = revision === undefined ? "" : ` of revision ${revision}`;
  const left = forgotten === undefined
    ? ""
    : `; half-done revision ${forgotten.join(", ")} is forgotten`;
  return `${action}${action === "upgrade" ? after : ""}${left}`;
}

const SIGNS = {
  created: "+",
  changed: "~",
  deleted: "-",
  runs: ">",
  unknown: "?",
  refused: "!",
  unchanged: "=",
} as const satisfies Record<PlannedObject["outcome"], string>;

function objectLines(object: PlannedObject): string[] {
  const { kind, name, namespace, outcome, reason, role, changes = [], moreChanges = 0 } = object;
  if (outcome === "unchanged") return [];
  const place = namespace === undefined ? "" : ` in ${namespace}`;
  const what = role === "object" ? "" : ` (${role})`;
  const left = Math.max(0, changes.length - MAX_FIELDS) + moreChanges;
  return [
    `      ${SIGNS[outcome]} ${kind} ${name}${place}${what}${
      reason === undefined ? "" : `: ${reason}`
    }`,
    ...changes.slice(0, MAX_FIELDS).flatMap(changeLines),
    ...(left === 0 ? [] : [`          … and ${left} more fields`]),
  ];
}

function changeLines({ path, change, before, after, secret }: FieldChange): string[] {
  if (secret) return [`          ${path}: ${change} (secret)`];
  const [one, other] = [before, after].map((value) =>
    value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value)
  );
  if (one === undefined || other === undefined) return [];
  const isShort = [one, other].every((text) => text.length <= MAX_VALUE && !text.includes("\n"));
  if (isShort && change === "changed") return [`          ${path}: ${one} -> ${other}`];
  if (isShort) return [`          ${path}: ${change} ${one}${other}`];
  return [`          ${path}: ${change}`, ...textLines(one, other)];
}

/** The lines between the first and the last one in which two texts differ. */
function textLines(before: string, after: string): string[] {
  const [one, other] = [before, after].map((text) => text === "" ? [] : text.split("\n"));
  if (one === undefined || other === undefined) return [];
  const shorter = Math.min(one.length, other.length);
  let start = 0;
  while (start < shorter && one[start] === other[start]) start++;
  let end = 0;
  while (end < shorter - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  return [
    ...someLines(one.slice(start, one.length - end), "-"),
    ...someLines(other.slice(start, other.length - end), "+"),
  ];
}

function someLines(lines: readonly string[], sign: string): string[] {
  const left = lines.length - MAX_LINES;
  return [
    ...lines.slice(0, MAX_LINES).map((line) => `            ${sign} ${line}`),
    ...(left > 0 ? [`            ${sign} … ${left} more lines`] : []),
  ];
}
