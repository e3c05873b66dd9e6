import * as v from "valibot";

/*
 * The parts of Zarf's v1alpha1 package that matter after creation (Zarf 0.84,
 * src/api/v1alpha1/package.go and component.go). Unknown keys are dropped here and kept in the raw
 * document. What Zarf leaves out when it is empty comes out as an empty list or `false`, except
 * where "not given" means something else than "false".
 */

/** A field that Go keeps as a string; YAML that a person wrote may hold a number or a boolean there. */
const text = v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String));
const optionalText = v.exactOptional(text);
const emptyText = v.optional(text, "");
const flag = v.optional(v.boolean(), false);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const texts = v.optional(v.array(text), []);
const textMap = v.optional(v.record(v.string(), text), {});

function list<const Item extends v.GenericSchema>(item: Item) {
  return v.optional(v.array(item), []);
}

/**
 * Names become parts of paths (Zarf 0.84, src/pkg/packager/layout/package.go
 * validatePackageIntegrity: not `..`, no slash, no backslash).
 */
const pathName = v.pipe(
  text,
  v.check((name) => !/[/\\\0]/.test(name) && name !== "." && name !== "..", "must be a plain name"),
);
const optionalPathName = v.optional(pathName, "");
const nonEmptyPathName = v.pipe(pathName, v.nonEmpty("must not be empty"));

const variableType = v.optional(v.picklist(["raw", "file", ""]), "raw");

const setVariable = v.object({
  name: text,
  sensitive: flag,
  autoIndent: flag,
  pattern: emptyText,
  type: variableType,
});

const shell = v.object({ linux: emptyText, darwin: emptyText, windows: emptyText });

const wait = v.object({
  cluster: v.exactOptional(v.object({
    kind: emptyText,
    name: emptyText,
    namespace: emptyText,
    condition: emptyText,
  })),
  network: v.exactOptional(v.object({
    protocol: emptyText,
    address: emptyText,
    code: v.optional(count, 0),
  })),
});

const action = v.object({
  cmd: emptyText,
  description: emptyText,
  mute: v.exactOptional(v.boolean()),
  maxTotalSeconds: v.exactOptional(count),
  maxRetries: v.exactOptional(count),
  dir: optionalText,
  env: v.exactOptional(v.array(text)),
  shell: v.exactOptional(shell),
  setVariables: list(setVariable),
  setValues: list(v.object({ key: text, value: v.optional(v.unknown()), type: emptyText })),
  wait: v.exactOptional(wait),
  template: v.exactOptional(v.boolean()),
});

const actionSet = v.object({
  defaults: v.optional(
    v.object({
      mute: flag,
      maxTotalSeconds: v.optional(count, 0),
      maxRetries: v.optional(count, 0),
      dir: emptyText,
      env: texts,
      shell: v.exactOptional(shell),
    }),
    {},
  ),
  before: list(action),
  after: list(action),
  onSuccess: list(action),
  onFailure: list(action),
});

const actions = v.object({
  onDeploy: v.optional(actionSet, {}),
  onRemove: v.optional(actionSet, {}),
});

const serverSideApply = v.optional(
  v.pipe(text, v.picklist(["true", "false", "auto", ""])),
  "auto",
);

const chart = v.object({
  name: nonEmptyPathName,
  version: optionalPathName,
  namespace: emptyText,
  releaseName: emptyText,
  url: emptyText,
  gitPath: emptyText,
  localPath: emptyText,
  noWait: flag,
  valuesFiles: texts,
  templatedValuesFiles: texts,
  variables: list(v.object({ name: text, description: emptyText, path: text })),
  values: list(v.object({ sourcePath: text, targetPath: text, excludePaths: texts })),
  schemaValidation: v.optional(v.boolean(), true),
  serverSideApply,
});

const manifest = v.object({
  name: nonEmptyPathName,
  namespace: emptyText,
  files: texts,
  kustomizations: texts,
  noWait: flag,
  serverSideApply,
  template: flag,
});

const file = v.object({
  source: emptyText,
  shasum: emptyText,
  target: text,
  executable: flag,
  symlinks: texts,
  extractPath: emptyText,
  template: flag,
});

const dataInjection = v.object({
  source: emptyText,
  target: v.object({ namespace: text, selector: text, container: text, path: text }),
  compress: flag,
});

const component = v.object({
  name: nonEmptyPathName,
  description: emptyText,
  /** Chosen unless deselected. */
  default: flag,
  /** Not given means not required (v1alpha1). */
  required: flag,
  /** Deprecated: exactly one component of a group is deployed. */
  group: emptyText,
  only: v.optional(
    v.object({
      localOS: emptyText,
      flavor: emptyText,
      cluster: v.optional(v.object({ architecture: emptyText, distros: texts }), {}),
    }),
    {},
  ),
  charts: list(chart),
  manifests: list(manifest),
  files: list(file),
  images: texts,
  imageArchives: list(v.object({ path: emptyText, images: texts })),
  repos: texts,
  dataInjections: list(dataInjection),
  actions: v.optional(actions, {}),
  healthChecks: list(v.object({ apiVersion: text, kind: text, namespace: emptyText, name: text })),
  stateAccess: texts,
});

const metadata = v.object({
  name: nonEmptyPathName,
  description: emptyText,
  version: optionalPathName,
  architecture: emptyText,
  aggregateChecksum: emptyText,
  uncompressed: flag,
  yolo: flag,
  annotations: textMap,
  /** Not given means allowed. */
  allowNamespaceOverride: v.optional(v.boolean(), true),
});

const versionRequirements = list(v.object({ version: text, reason: emptyText }));

const build = v.object({
  architecture: emptyText,
  /** RFC 1123 with a numeric zone, as Go writes it. */
  timestamp: emptyText,
  /** Of the Zarf that built it. */
  version: emptyText,
  migrations: texts,
  registryOverrides: textMap,
  differential: flag,
  differentialPackageVersion: optionalPathName,
  flavor: optionalPathName,
  /** Not given by old Zarf: then the presence of zarf.yaml.sig decides. */
  signed: v.exactOptional(v.boolean()),
  versionRequirements,
  provenanceFiles: texts,
});

/** The v1alpha1 document after its migrations. */
export const packageSchema = v.object({
  kind: v.picklist(["ZarfPackageConfig", "ZarfInitConfig"]),
  metadata,
  build: v.optional(build, {}),
  components: v.array(component),
  constants: list(v.object({
    name: text,
    value: emptyText,
    description: emptyText,
    autoIndent: flag,
    pattern: emptyText,
  })),
  variables: list(v.object({
    name: text,
    description: emptyText,
    default: emptyText,
    prompt: flag,
    sensitive: flag,
    autoIndent: flag,
    pattern: emptyText,
    type: variableType,
  })),
  values: v.optional(v.object({ files: texts, schema: emptyText }), {}),
  documentation: textMap,
});

/** What any Zarf says of the versions that a package needs, however else the document looks. */
export const requirementsSchema = v.object({
  build: v.optional(v.object({ versionRequirements }), {}),
});

/** {@linkcode packageSchema}'s result. */
export type ParsedPackage = v.InferOutput<typeof packageSchema>;
