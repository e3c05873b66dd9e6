import { isRecord, type JsonObject, type JsonValue } from "./json.ts";

/**
 * Zarf's own changes to old definitions when it reads them (Zarf 0.84,
 * src/internal/api/v1alpha1/migrate.go): `scripts` become actions, `setVariable` becomes
 * `setVariables`. As there, what was deprecated stays where it is and `build.migrations` says that it
 * is done; where it says so already, it is taken away. The other deprecated fields (`group`,
 * `dataInjections`, `metadata.yolo`) are used as they are.
 */
export function migrate(definition: JsonObject): JsonObject {
  const components = definition["components"];
  if (!Array.isArray(components)) return definition;
  const build = isRecord(definition["build"]) ? definition["build"] : {};
  const done = Array.isArray(build["migrations"]) ? build["migrations"] : [];
  const steps = MIGRATIONS.map(({ name, change, clear }) => done.includes(name) ? clear : change);
  return {
    ...definition,
    build: { ...build, migrations: MIGRATIONS.map(({ name }) => name) },
    components: components.map((component) =>
      isRecord(component) ? steps.reduce((current, step) => step(current), component) : component
    ),
  };
}

type Step = (component: JsonObject) => JsonObject;

const MIGRATIONS: readonly {
  readonly name: string;
  readonly change: Step;
  readonly clear: Step;
}[] = [
  { name: "scripts-to-actions", change: scriptsToActions, clear: without("scripts") },
  {
    name: "pluralize-set-variable",
    change: (component) => mapActions(component, pluralizeSetVariable),
    clear: (component) => mapActions(component, without("setVariable")),
  },
];

/** Zarf's number of retries for `scripts.retry: true`. */
const RETRY_FOREVER = 10_000;

function scriptsToActions(component: JsonObject): JsonObject {
  const { scripts } = component;
  if (!isRecord(scripts)) return component;
  const defaults: JsonObject = { mute: scripts["showOutput"] !== true };
  if (typeof scripts["timeoutSeconds"] === "number") {
    defaults["maxTotalSeconds"] = scripts["timeoutSeconds"];
  }
  if (scripts["retry"] === true) defaults["maxRetries"] = RETRY_FOREVER;
  const actions: JsonObject = isRecord(component["actions"]) ? { ...component["actions"] } : {};
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
  return { ...component, actions };
}

/** `setVariables` wins where both are there. */
function pluralizeSetVariable(action: JsonObject): JsonObject {
  const { setVariable: name, setVariables: others } = action;
  if (typeof name !== "string" || name === "") return action;
  if (Array.isArray(others) && others.length > 0) return action;
  return { ...action, setVariables: [{ name }] };
}

function without(name: string): Step {
  return ({ [name]: _, ...rest }) => rest;
}

/** Changes every action of every set. */
function mapActions(component: JsonObject, change: Step): JsonObject {
  const { actions } = component;
  if (!isRecord(actions)) return component;
  const inAction = (action: JsonValue) => isRecord(action) ? change(action) : action;
  const inList = (list: JsonValue) => Array.isArray(list) ? list.map(inAction) : list;
  const inSet = (set: JsonValue) => isRecord(set) ? mapValues(set, inList) : set;
  return { ...component, actions: mapValues(actions, inSet) };
}

function mapValues(object: JsonObject, change: (value: JsonValue) => JsonValue): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
