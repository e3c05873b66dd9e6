import { load } from "js-yaml";
import * as v from "valibot";
import type { RegistryWishes } from "../bootstrap/mod.ts";
import { DeployError, type ResolvedVariables } from "../deploy/mod.ts";

/**
 * Variables of Zarf's init package that say how Zarf's own registry, proxy and agent are installed, with
 * Zarf's defaults (Zarf 0.84, packages/zarf-registry/zarf.yaml, packages/zarf-agent/zarf.yaml). None of
 * them has a meaning where Holdfast's registry and webhook take their place.
 */
const WITHOUT_MEANING: Readonly<Record<string, string>> = {
  REGISTRY_EXISTING_PVC: "",
  REGISTRY_PVC_ENABLED: "true",
  REGISTRY_PVC_SIZE: "20Gi",
  REGISTRY_PVC_ACCESS_MODE: "ReadWriteOnce",
  REGISTRY_HPA_MIN: "1",
  REGISTRY_HPA_MAX: "5",
  REGISTRY_HPA_ENABLE: "true",
  REGISTRY_HPA_AUTO_SIZE: "false",
  REGISTRY_HPA_TARGET_CPU: "80",
  REGISTRY_CA_BUNDLE: "",
  REGISTRY_CREATE_SERVICE_ACCOUNT: "false",
  REGISTRY_SERVICE_ACCOUNT_NAME: "",
  REGISTRY_SERVICE_ACCOUNT_ANNOTATIONS: "",
  REGISTRY_AFFINITY_ENABLE: "true",
  REGISTRY_AFFINITY_CUSTOM: "",
  REGISTRY_NODE_SELECTOR: "",
  REGISTRY_SECURITY_CONTEXT_RUN_AS_USER: "1000",
  REGISTRY_SECURITY_CONTEXT_RUN_AS_GROUP: "2000",
  REGISTRY_SECURITY_CONTEXT_FS_GROUP: "2000",
  PROXY_TOLERATIONS: "",
  HOST_NETWORK_PROXY: "false",
  AGENT_AFFINITY: "",
  AGENT_TOLERATIONS: "",
  AGENT_NODE_SELECTOR: "",
  AGENT_WEBHOOK_ANNOTATIONS: "{}",
  AGENT_MUTATION_EXCLUSIONS: "[]",
};

/** Those that say something that the registry's pod can be given. */
const USED: ReadonlySet<string> = new Set([
  "REGISTRY_CPU_REQ",
  "REGISTRY_MEM_REQ",
  "REGISTRY_CPU_LIMIT",
  "REGISTRY_MEM_LIMIT",
  "REGISTRY_EXTRA_ENVS",
  "REGISTRY_OTEL_EXPORTER",
  "REGISTRY_TOLERATIONS",
]);

/** How the names of such variables begin, also of those that a newer Zarf adds. */
const ABOUT_PROVIDED = /^(REGISTRY|PROXY|AGENT|HOST_NETWORK_PROXY)(_|$)/;

/**
 * Names of the variables that somebody has given another value than Zarf's and that are not used; in
 * alphabetical order.
 */
export function unusedVariables(variables: ResolvedVariables): string[] {
  return [...variables].filter(([name, { value, given = value }]) =>
    ABOUT_PROVIDED.test(name) && !USED.has(name) && given !== (WITHOUT_MEANING[name] ?? "")
  ).map(([name]) => name).sort();
}

const EnvSchema = v.array(v.looseObject({ name: v.pipe(v.string(), v.minLength(1)) }));
const TolerationsSchema = v.array(v.record(v.string(), v.unknown()));
/** A quantity of Kubernetes: `100m`, `1.5`, `2Gi`. */
const QUANTITY = /^[0-9]+(\.[0-9]+)?([numkMGTPE]|[KMGTPE]i)?$/;

/**
 * What the variables of an init package say about the registry's pod.
 *
 * @throws {DeployError} `VariableInvalid`, naming the variable; never its value.
 */
export function registryWishesOf(variables: ResolvedVariables): RegistryWishes {
  const text = (name: string) => variables.get(name)?.value.trim() ?? "";
  const quantity = (name: string) => {
    if (text(name) !== "" && !QUANTITY.test(text(name))) throw invalid(name, "a quantity");
    return text(name);
  };
  const resources = (cpu: string, memory: string) => ({
    ...(quantity(cpu) === "" ? {} : { cpu: quantity(cpu) }),
    ...(quantity(memory) === "" ? {} : { memory: quantity(memory) }),
  });
  const env = parsed("REGISTRY_EXTRA_ENVS", text("REGISTRY_EXTRA_ENVS"), EnvSchema);
  const tolerations = parsed(
    "REGISTRY_TOLERATIONS",
    text("REGISTRY_TOLERATIONS"),
    TolerationsSchema,
  );
  const tracesExporter = text("REGISTRY_OTEL_EXPORTER");
  return {
    requests: resources("REGISTRY_CPU_REQ", "REGISTRY_MEM_REQ"),
    limits: resources("REGISTRY_CPU_LIMIT", "REGISTRY_MEM_LIMIT"),
    env,
    tolerations,
    ...(tracesExporter === "" ? {} : { tracesExporter }),
  };
}

function parsed<T>(name: string, text: string, schema: v.GenericSchema<unknown, T[]>): T[] {
  if (text === "") return [];
  try {
    return v.parse(schema, load(text));
  } catch {
    throw invalid(name, "a list as YAML");
  }
}

function invalid(name: string, what: string): DeployError {
  return new DeployError({
    reason: "VariableInvalid",
    message: `the value of variable ${name} is not ${what}`,
    kept: "the cluster was not touched",
    remedy: `mend ${name} in the settings of the package`,
  });
}
