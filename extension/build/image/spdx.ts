import { digestHex, digestOf } from "../../../src/std/mod.ts";

/** Something that is in the image and was made elsewhere. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** Its package URL (package-url specification). */
  readonly purl: string;
  /** Its licence by its own word, as SPDX writes it. @default not said */
  readonly license?: string;
  readonly comment?: string;
}

/** What a bill of materials is of. */
export interface BillSubject {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** The same in every build, so that the same content has the same digest. */
const CREATED = "1970-01-01T00:00:00Z";
const UNKNOWN = "NOASSERTION";

/** A bill of materials in SPDX 2.3's JSON (spdx.github.io/spdx-spec/v2.3). */
export function spdxDocument(subject: BillSubject, components: readonly Component[]): string {
  const sorted = [...components].sort((a, b) => a.purl < b.purl ? -1 : a.purl > b.purl ? 1 : 0);
  const packages = [
    packageOf("SPDXRef-Subject", { ...subject, purl: `pkg:generic/holdfast@${subject.version}` }),
    ...sorted.map((component, at) => packageOf(`SPDXRef-Package-${at + 1}`, component)),
  ];
  const inside = packages.slice(1).map(({ SPDXID }) => ({
    spdxElementId: "SPDXRef-Subject",
    relationshipType: "CONTAINS",
    relatedSpdxElement: SPDXID,
  }));
  const name = `${subject.name}-${subject.version}`;
  return JSON.stringify(
    {
      spdxVersion: "SPDX-2.3",
      dataLicense: "CC0-1.0",
      SPDXID: "SPDXRef-DOCUMENT",
      name,
      documentNamespace: `https://holdfast.dev/spdx/${encodeURIComponent(name)}-${
        digestHex(digestOf(JSON.stringify(packages))).slice(0, 16)
      }`,
      creationInfo: { created: CREATED, creators: ["Tool: holdfast-extension"] },
      packages,
      relationships: [
        {
          spdxElementId: "SPDXRef-DOCUMENT",
          relationshipType: "DESCRIBES",
          relatedSpdxElement: "SPDXRef-Subject",
        },
        ...inside,
      ],
    },
    undefined,
    1,
  );
}

function packageOf(id: string, { name, version, purl, license, comment }: Component) {
  return {
    SPDXID: id,
    name,
    versionInfo: version,
    downloadLocation: UNKNOWN,
    filesAnalyzed: false,
    licenseConcluded: UNKNOWN,
    licenseDeclared: license ?? UNKNOWN,
    copyrightText: UNKNOWN,
    ...(comment === undefined ? {} : { comment }),
    externalRefs: [{
      referenceCategory: "PACKAGE-MANAGER",
      referenceType: "purl",
      referenceLocator: purl,
    }],
  };
}
