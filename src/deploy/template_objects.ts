import { hashSync } from "bcryptjs";
import { encodePackage, type ZarfComponent, type ZarfPackage } from "../package/mod.ts";
import { newState, type ZarfState } from "../zarf/mod.ts";
import type { GoTemplates, TemplateObjects, ValuesLayer } from "./go_template.ts";
import type { ResolvedVariables } from "./variables.ts";

/** What fills in the Go templates of one component, and with what. */
export interface Filling {
  readonly templates: GoTemplates;
  readonly objects: TemplateObjects;
}

/** What {@linkcode templateObjects} puts together. */
export interface TemplateObjectsInput {
  readonly definition: ZarfPackage;
  /** The chosen components: templates see no others. */
  readonly components: readonly ZarfComponent[];
  readonly variables: ResolvedVariables;
  readonly values: readonly ValuesLayer[];
  /** `.State`; absent, templates that name it fail. */
  readonly state?: Readonly<Record<string, unknown>>;
}

/** What the Go templates of a component see (Zarf 0.84, src/pkg/template/template.go). */
export function templateObjects(input: TemplateObjectsInput): TemplateObjects {
  const { definition, components, variables, values, state } = input;
  const names = new Set(components.map(({ name }) => name));
  return {
    values,
    package: encodePackage({
      ...definition.raw,
      components: definition.components.flatMap(({ name }, index) => {
        const raw = Array.isArray(definition.raw["components"])
          ? definition.raw["components"][index]
          : undefined;
        return names.has(name) && raw !== undefined ? [raw] : [];
      }),
    }),
    constants: Object.fromEntries(definition.constants.map(({ name, value }) => [name, value])),
    // Of a variable of type file it is the path, as in Zarf.
    variables: Object.fromEntries(
      [...variables].map(([name, { value, given }]) => [name, given ?? value]),
    ),
    ...(state === undefined ? {} : { state }),
  };
}

/** As Zarf hashes them (bcrypt.DefaultCost). */
const BCRYPT_COST = 10;

/**
 * `.State` for a component: passwords and keys only as far as its `stateAccess` names them.
 *
 * @param access of the component.
 */
export function stateObject(
  state: ZarfState,
  access: readonly string[],
): Readonly<Record<string, unknown>> {
  const { registryInfo: registry, gitServer: git, injectorInfo: injector, agentTLS } = state;
  const strategy = registry.mtlsStrategy ?? "";
  return {
    Distro: state.distro,
    StorageClass: state.storageClass,
    IPFamily: state.ipFamily ?? "",
    Registry: {
      Address: registry.address,
      Port: registry.port,
      PushUsername: registry.pushUsername,
      PullUsername: registry.pullUsername,
      Mode: registry.registryMode ?? "",
      MTLSEnabled: strategy !== "" && strategy !== "none",
      SeedAddress: `${state.ipFamily === "ipv6" ? "[::1]" : "127.0.0.1"}:${injector.port}`,
      ...(access.includes("registryCredentials") ? registrySecrets(state) : {}),
    },
    Git: {
      Address: git.address,
      PushUsername: git.pushUsername,
      PullUsername: git.pullUsername,
      IsInternal: git.address === INTERNAL_GIT,
      ...(access.includes("gitCredentials")
        ? { PushPassword: git.pushPassword, PullPassword: git.pullPassword }
        : {}),
    },
    Injector: {
      Image: injector.injectorImage,
      Port: injector.port,
      PayloadConfigMaps: injector.payLoadConfigMapAmount,
      PayloadShaSum: injector.payLoadShaSum,
    },
    ...(access.includes("agentCerts")
      ? { Agent: { CA: agentTLS.ca ?? "", Cert: agentTLS.cert ?? "", Key: agentTLS.key ?? "" } }
      : {}),
  };
}

/** `.State` where there is no cluster: each value says where it would come from. */
export function unknownState(access: readonly string[]): Readonly<Record<string, unknown>> {
  const shape = newState({ registryAddress: "", port: 0, ipFamily: "ipv4" });
  return named(stateObject(shape, access), "STATE");
}

function named(object: object, prefix: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => {
      const name = `${prefix}_${key.toUpperCase()}`;
      return [key, typeof value === "object" ? named(value, name) : name];
    }),
  );
}

/** Zarf 0.84, src/pkg/state/state.go ZarfInClusterGitServiceURL. */
const INTERNAL_GIT = "http://zarf-gitea-http.zarf.svc.cluster.local:3000";

function registrySecrets({ registryInfo: registry }: ZarfState): Record<string, string> {
  const user = (name: string, password: string) => `${name}:${hashSync(password, BCRYPT_COST)}`;
  const users = [
    user(registry.pushUsername, registry.pushPassword),
    user(registry.pullUsername, registry.pullPassword),
  ];
  return {
    PushPassword: registry.pushPassword,
    PullPassword: registry.pullPassword,
    Secret: registry.secret,
    // Zarf puts a backslash and an n between them.
    Htpasswd: registry.registryMode === "external" ? "" : users.join("\\n"),
  };
}
