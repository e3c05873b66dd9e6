import { isRecord, type JsonObject, type JsonValue } from "./json.ts";

/** What may stand somewhere: anything, or a mapping with these keys, or a list of such mappings. */
type Known = "anything" | { readonly [key: string]: Known };

/** Keys that hold anything, separated by spaces, and keys that hold mappings. */
function keys(names: string, mappings: Readonly<Record<string, Known>> = {}): Known {
  const plain = names.split(" ").filter((name) => name !== "");
  return { ...Object.fromEntries(plain.map((name) => [name, "anything"])), ...mappings };
}

const shell = keys("windows linux darwin");
const variable = "name sensitive autoIndent pattern type";

const action = keys(
  "mute maxTotalSeconds maxRetries dir env cmd setVariable description template",
  {
    shell,
    setVariables: keys(variable),
    setValues: keys("key value type"),
    wait: keys("", {
      cluster: keys("kind name namespace condition"),
      network: keys("protocol address code"),
    }),
  },
);

const actionSet = keys("", {
  defaults: keys("mute maxTotalSeconds maxRetries dir env", { shell }),
  before: action,
  after: action,
  onSuccess: action,
  onFailure: action,
});

const component = keys(
  "name description default required group images repos stateAccess",
  {
    only: keys("localOS flavor", { cluster: keys("architecture distros") }),
    import: keys("name path url"),
    manifests: keys(
      "name namespace files kustomizeAllowAnyDirectory kustomizations enableKustomizePlugins " +
        "noWait serverSideApply template",
    ),
    charts: keys(
      "name version url repoName gitPath localPath namespace releaseName noWait valuesFiles " +
        "templatedValuesFiles schemaValidation serverSideApply",
      {
        variables: keys("name description path"),
        values: keys("sourcePath targetPath excludePaths"),
      },
    ),
    dataInjections: keys("source compress", {
      target: keys("namespace selector container path"),
    }),
    files: keys("source shasum target executable symlinks extractPath template"),
    imageArchives: keys("path images"),
    scripts: keys("showOutput timeoutSeconds retry prepare before after"),
    actions: keys("", { onCreate: actionSet, onDeploy: actionSet, onRemove: actionSet }),
    healthChecks: keys("apiVersion kind namespace name"),
  },
);

/** Every key of a v1alpha1 document, deprecated ones included (Zarf 0.84, zarf.schema.json). */
export const KNOWN_FIELDS: Known = keys("apiVersion kind documentation", {
  metadata: keys(
    "name description version url image uncompressed architecture yolo authors documentation " +
      "source vendor aggregateChecksum annotations allowNamespaceOverride",
  ),
  build: keys(
    "terminal user architecture timestamp version migrations registryOverrides differential " +
      "differentialPackageVersion differentialMissing flavor signed provenanceFiles",
    { versionRequirements: keys("version reason") },
  ),
  components: component,
  constants: keys("name value description autoIndent pattern"),
  variables: keys(`${variable} description default prompt`),
  values: keys("files schema"),
});

/** How many unknown fields are told. */
const MAX_FIELDS = 50;
/** Characters of one path; what is longer is cut. */
const MAX_PATH = 200;

/**
 * The keys of a v1alpha1 document that Zarf 0.84 does not know, as paths
 * (`components[0].manifests[1].kustomise`): the first 50, in the order of the document.
 *
 * They are no reason to refuse a package. Zarf drops them without a word where it reads a package
 * (src/internal/pkgcfg decodes without strictness), old packages have keys that are gone, and a newer
 * Zarf says in `build.versionRequirements` when its new ones matter. But a typing error shows only
 * here. Keys that begin with `x-` are free for everybody (zarf.schema.json, patternProperties).
 */
export function unknownFields(document: JsonObject): string[] {
  const found: string[] = [];
  collect(document, KNOWN_FIELDS, "", found);
  return found;
}

function collect(value: JsonValue, known: Known, path: string, found: string[]): void {
  if (known === "anything") return;
  if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) {
      collect(member, known, `${path}[${index}]`, found);
    }
    return;
  }
  if (!isRecord(value)) return;
  for (const [key, member] of Object.entries(value)) {
    const at = path === "" ? key : `${path}.${key}`;
    const below = Object.hasOwn(known, key) ? known[key] : undefined;
    if (below !== undefined) collect(member, below, at, found);
    else if (!key.startsWith("x-") && found.length < MAX_FIELDS) found.push(at.slice(0, MAX_PATH));
  }
}
