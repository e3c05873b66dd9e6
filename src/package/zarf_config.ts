import {
  always,
  any,
  count,
  flag,
  type GoType,
  list,
  pointer,
  struct,
  text,
  textMap,
} from "./go_json.ts";
import type { JsonObject } from "./json.ts";

/*
 * Zarf's v1alpha1 package as its Go structs have it, every field in its order (Zarf 0.84,
 * src/api/v1alpha1/package.go and component.go). src/package/schema.ts holds what matters for
 * deploying; this holds all, because the digest of a package's OCI manifest depends on it.
 */

const variable = {
  name: always(text),
  sensitive: flag,
  autoIndent: flag,
  pattern: text,
  type: text,
};

const shell = struct({ windows: text, linux: text, darwin: text });

const wait = struct({
  cluster: pointer(struct({
    kind: always(text),
    name: always(text),
    namespace: text,
    condition: text,
  })),
  network: pointer(struct({ protocol: always(text), address: always(text), code: count })),
});

const action = struct({
  mute: pointer(flag),
  maxTotalSeconds: pointer(count),
  maxRetries: pointer(count),
  dir: pointer(text),
  env: list(text),
  cmd: text,
  shell: pointer(shell),
  setVariable: text,
  setVariables: list(struct(variable)),
  setValues: list(struct({ key: text, value: any, type: text })),
  description: text,
  wait: pointer(wait),
  template: pointer(flag),
});

const actionSet = struct({
  defaults: struct({
    mute: flag,
    maxTotalSeconds: count,
    maxRetries: count,
    dir: text,
    env: list(text),
    shell,
  }),
  before: list(action),
  after: list(action),
  onSuccess: list(action),
  onFailure: list(action),
});

const chart = struct({
  name: always(text),
  version: text,
  url: text,
  repoName: text,
  gitPath: text,
  localPath: text,
  namespace: text,
  releaseName: text,
  noWait: flag,
  valuesFiles: list(text),
  templatedValuesFiles: list(text),
  variables: list(
    struct({ name: always(text), description: always(text), path: always(text) }),
  ),
  values: list(
    struct({ sourcePath: always(text), targetPath: always(text), excludePaths: list(text) }),
  ),
  schemaValidation: pointer(flag),
  serverSideApply: text,
});

const manifest = struct({
  name: always(text),
  namespace: text,
  files: list(text),
  kustomizeAllowAnyDirectory: flag,
  kustomizations: list(text),
  enableKustomizePlugins: flag,
  noWait: flag,
  serverSideApply: text,
  template: pointer(flag),
});

const file = struct({
  source: always(text),
  shasum: text,
  target: always(text),
  executable: flag,
  symlinks: list(text),
  extractPath: text,
  template: pointer(flag),
});

const dataInjection = struct({
  source: always(text),
  target: always(struct({
    namespace: always(text),
    selector: always(text),
    container: always(text),
    path: always(text),
  })),
  compress: flag,
});

const healthCheck = struct({
  apiVersion: always(text),
  kind: always(text),
  namespace: always(text),
  name: always(text),
});

const scripts = struct({
  showOutput: flag,
  timeoutSeconds: count,
  retry: flag,
  prepare: list(text),
  before: list(text),
  after: list(text),
});

const component = struct({
  name: always(text),
  description: text,
  default: flag,
  required: pointer(flag),
  only: struct({
    localOS: text,
    cluster: struct({ architecture: text, distros: list(text) }),
    flavor: text,
  }),
  group: text,
  import: struct({ name: text, path: text, url: text }),
  manifests: list(manifest),
  charts: list(chart),
  dataInjections: list(dataInjection),
  files: list(file),
  images: list(text),
  imageArchives: list(struct({ path: always(text), images: always(list(text)) })),
  repos: list(text),
  scripts,
  actions: struct({ onCreate: actionSet, onDeploy: actionSet, onRemove: actionSet }),
  healthChecks: list(healthCheck),
  stateAccess: list(text),
});

const metadata = struct({
  name: always(text),
  description: text,
  version: text,
  url: text,
  image: text,
  uncompressed: flag,
  architecture: text,
  yolo: flag,
  authors: text,
  documentation: text,
  source: text,
  vendor: text,
  aggregateChecksum: text,
  annotations: textMap,
  allowNamespaceOverride: pointer(flag),
});

const build = struct({
  terminal: text,
  user: text,
  architecture: always(text),
  timestamp: always(text),
  version: always(text),
  migrations: list(text),
  registryOverrides: textMap,
  differential: flag,
  differentialPackageVersion: text,
  differentialMissing: list(text),
  flavor: text,
  signed: pointer(flag),
  versionRequirements: list(struct({ version: always(text), reason: text })),
  provenanceFiles: list(text),
});

/** `ZarfPackage`, the whole document. */
export const ZARF_PACKAGE: GoType = struct({
  apiVersion: text,
  kind: always(text),
  metadata,
  build,
  components: always(list(component)),
  constants: list(struct({
    name: always(text),
    value: always(text),
    description: text,
    autoIndent: flag,
    pattern: text,
  })),
  variables: list(struct({ ...variable, description: text, default: text, prompt: flag })),
  values: struct({ files: list(text), schema: text }),
  documentation: textMap,
});

/** A v1alpha1 document as the JSON that Zarf makes of it; what Zarf does not know is left out. */
export function encodePackage(document: JsonObject): string {
  return ZARF_PACKAGE.encode(document);
}
