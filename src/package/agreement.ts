import { V1ALPHA1, V1BETA1 } from "./documents.ts";
import { packageError } from "./errors.ts";
import { isRecord, type JsonObject, type JsonValue } from "./json.ts";

/** What both documents say, each at its own place. */
const SAME: readonly (readonly [alpha: string, beta: string])[] = [
  ["metadata.name", "metadata.name"],
  ["metadata.version", "metadata.version"],
  ["metadata.architecture", "metadata.architecture"],
  ["metadata.aggregateChecksum", "build.aggregateChecksum"],
  ["build.architecture", "build.architecture"],
  ["build.flavor", "build.flavor"],
  ["build.differentialPackageVersion", "build.differentialPackageVersion"],
  ["build.signed", "build.signed"],
  ["build.versionRequirements", "build.versionRequirements"],
  ["build.provenanceFiles", "build.provenanceFiles"],
];

/**
 * Refuses a zarf.yaml whose two documents are not about the same package. Zarf writes both from one
 * definition (Zarf 0.84, layout/package.go MarshalPackageDefinition), reads the v1beta1 document and
 * works with its v1alpha1 form; here the v1alpha1 document is read. That is the same only as long as
 * the two agree, so what decides about a package is compared: its name, version and checksums, for
 * whom it is, and which components with which images it has, required or not.
 *
 * @throws {PackageError} InvalidDefinition.
 */
export function checkAgreement(alpha: JsonObject, beta: JsonObject): void {
  const sides = SAME.map(([here, there]) => [here, at(alpha, here), at(beta, there)] as const);
  const components = [
    "components",
    list(alpha["components"]).map(alphaComponent),
    list(beta["components"]).map(betaComponent),
  ] as const;
  for (const [what, one, other] of [...sides, components]) {
    if (JSON.stringify(one) === JSON.stringify(other)) continue;
    throw packageError(
      "InvalidDefinition",
      `zarf.yaml: its ${V1ALPHA1} and its ${V1BETA1} document contradict each other: ${what}`,
    );
  }
}

function alphaComponent(component: JsonValue): JsonValue {
  const { name = "", required = false, images, imageArchives } = fields(component);
  return [name, required, [...list(images), ...archived(imageArchives)]];
}

/** In v1beta1 a component is required unless it says otherwise. */
function betaComponent(component: JsonValue): JsonValue {
  const { name = "", optional = false, images, imageArchives } = fields(component);
  const names = list(images).map((image) => fields(image)["name"] ?? "");
  return [name, optional === false, [...names, ...archived(imageArchives)]];
}

function archived(archives: JsonValue | undefined): JsonValue[] {
  return list(archives).flatMap((archive) => list(fields(archive)["images"]));
}

function at(document: JsonObject, path: string): JsonValue {
  let value: JsonValue = document;
  for (const key of path.split(".")) value = fields(value)[key] ?? "";
  return value;
}

function fields(value: JsonValue): { readonly [key: string]: JsonValue | undefined } {
  return isRecord(value) ? value : {};
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
