import { isRecord, type JsonObject, type JsonValue } from "./json.ts";

/**
 * Zarf's own changes to old definitions when it reads them (Zarf 0.84,
 * src/internal/api/v1alpha1/migrate.go), unless `build.migrations` says that they are done:
 * `scripts` become actions, `setVariable` becomes the first of `setVariables`.
 */
export function migrate(definition: JsonObject): JsonObject {
  const components = definition["components"];
  if (!Array.isArray(components)) return definition;
  const build = definition["build"];
  const done = isRecord(build) && Array.isArray(build["migrations"]) ? build["migrations"] : [];
  const steps = MIGRATIONS.filter(([name]) => !done.includes(name)).map(([, step]) => step);
  return {
    ...definition,
    components: components.map((component) =>
      isRecord(component) ? steps.reduce((current, step) => step(current), component) : component
    ),
  };
}

const MIGRATIONS: readonly (readonly [string, (component: JsonObject) => JsonObject])[] = [
  ["scripts-to-actions", scriptsToActions],
  ["pluralize-set-variable", pluralizeSetVariable],
];

/** Zarf's number of retries for `scripts.retry: true`. */
const RETRY_FOREVER = 10_000;

function scriptsToActions(component: JsonObject): JsonObject {
  const { scripts, ...rest } = component;
  if (!isRecord(scripts)) return component;
  const defaults: JsonObject = { mute: scripts["showOutput"] !== true };
  if (typeof scripts["timeoutSeconds"] === "number") {
    defaults["maxTotalSeconds"] = scripts["timeoutSeconds"];
  }
  if (scripts["retry"] === true) defaults["maxRetries"] = RETRY_FOREVER;
  const actions: JsonObject = isRecord(rest["actions"]) ? { ...rest["actions"] } : {};
  const place = (set: string, moment: string, commands: JsonValue | undefined) => {
    if (!Array.isArray(commands) || commands.length === 0) return;
    const before = actions[set];
    const current: JsonObject = isRecord(before) ? before : {};
    const existing = current[moment];
    actions[set] = {
      ...current,
      defaults,
      [moment]: [
        ...(Array.isArray(existing) ? existing : []),
        ...commands.map((cmd) => ({ cmd })),
      ],
    };
  };
  place("onCreate", "before", scripts["prepare"]);
  place("onDeploy", "before", scripts["before"]);
  place("onDeploy", "after", scripts["after"]);
  return { ...rest, actions };
}

function pluralizeSetVariable(component: JsonObject): JsonObject {
  const actions = component["actions"];
  if (!isRecord(actions)) return component;
  return { ...component, actions: mapValues(actions, pluralizeInSet) };
}

function pluralizeInSet(set: JsonValue): JsonValue {
  if (!isRecord(set)) return set;
  return mapValues(set, (list) => Array.isArray(list) ? list.map(pluralizeInAction) : list);
}

function pluralizeInAction(action: JsonValue): JsonValue {
  if (!isRecord(action) || typeof action["setVariable"] !== "string") return action;
  const { setVariable: name, ...rest } = action;
  const others = Array.isArray(rest["setVariables"]) ? rest["setVariables"] : [];
  return { ...rest, setVariables: [{ name }, ...others] };
}

function mapValues(object: JsonObject, change: (value: JsonValue) => JsonValue): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
