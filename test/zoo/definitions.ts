import type { Definition, PackageHooks, PackageSpec } from "../fixtures/make_package.ts";
import { add, type BadPackage, type BadSpec, badSpec } from "./bad_package.ts";

const V1BETA1 = "zarf.dev/v1beta1";

/** Packages whose zarf.yaml is wrong; every file is what it says. */
export function badDefinitions(): BadPackage[] {
  return [...texts(), ...bombs(), ...documents(), ...names(), ...values(), ...platforms()]
    .map(badSpec);
}

/** A package whose zarf.yaml has other values. */
function define(definition: (definition: Definition) => void, more: PackageSpec = {}): PackageSpec {
  return { ...more, hooks: { ...more.hooks, definition } };
}

/** A package whose zarf.yaml has another text. */
function write(definitionText: (text: string) => string): PackageSpec {
  return { hooks: { definitionText } };
}

function texts(): BadSpec[] {
  const unreadable = (name: string, change: (text: string) => string): BadSpec => [
    `yaml-${name}`,
    "InvalidDefinition",
    "zarf.yaml: is not readable as YAML",
    write(change),
  ];
  return [
    unreadable("half-a-list", () => "a: ["),
    unreadable("binary", () => "\x7fELF\x02\x01\x01\0\0"),
    unreadable("tab", (text) => text.replace("  name", "\tname")),
    unreadable("key-twice", (text) => `${text}kind: ZarfInitConfig\n`),
    unreadable("nul", (text) => `${text}# \0`),
    unreadable("unknown-tag", (text) => `${text}x: !!js/function "() => 1"\n`),
    unreadable("unknown-anchor", (text) => `${text}x: *nothing\n`),
    unreadable("list-as-key", (text) => `${text}? [a]\n: b\n`),
    unreadable("half-an-emoji-in-the-excerpt", (text) => `${text}x: '${"💾".repeat(40)}y`),
    unreadable("escapes-in-the-excerpt", (text) => `${text}x: [ \u009b31m, \u202e, \u2028`),
    unreadable("merge-with-text", (text) => `${text}x: { <<: a }\n`),
    ["yaml-text", "InvalidDefinition", "is not a mapping", write(() => "just a text")],
    ["yaml-list", "InvalidDefinition", "is not a mapping", write((text) => `[1]\n---\n${text}`)],
    ["yaml-latin-1", "InvalidDefinition", "is not readable as YAML", {
      hooks: {
        entries: (all) =>
          all.map((one) =>
            one.name === "zarf.yaml" ? { ...one, content: Uint8Array.of(0x61, 0xe9) } : one
          ),
      },
    }],
    [
      "yaml-empty",
      "UnsupportedDefinition",
      "has no zarf.dev/v1alpha1 document, only nothing",
      write(() => ""),
    ],
    [
      "yaml-empty-documents",
      "UnsupportedDefinition",
      "has no zarf.dev/v1alpha1 document, only nothing",
      write(() => "---\n---\n---\n"),
    ],
  ];
}

function bombs(): BadSpec[] {
  const bomb = (name: string, part: string, more: string): BadSpec => [
    `yaml-${name}`,
    "LimitExceeded",
    `zarf.yaml: ${part}`,
    write((text) => text + more),
  ];
  const level = (n: number) => `l${n + 1}: &l${n + 1} [${Array(10).fill(`*l${n}`).join(", ")}]\n`;
  const nest = (n: number) => `n${n + 1}: &n${n + 1} [*n${n}]\n`;
  const list = <T>(length: number, each: (n: number) => T) =>
    Array.from({ length }, (_, n) => each(n));
  return [
    bomb("billion-laughs", "has more than 65536", `l0: &l0 [x]\n${list(9, level).join("")}`),
    bomb("nested-by-aliases", "is nested more than", `n0: &n0 [x]\n${list(250, nest).join("")}`),
    bomb("holds-itself", "is nested more than", "x: &a { y: *a }\n"),
    bomb(
      "text-repeated",
      "has more than 4194304 characters",
      `a: &a ${"x".repeat(100_000)}\nb: [${Array(50).fill("*a").join(", ")}]\n`,
    ),
    bomb("many-values", "may hold more than 65536 values", `x: [${"a,".repeat(70_000)}]\n`),
    bomb("many-documents", "may hold more than 65536 values", "---\n".repeat(70_000)),
    bomb("5-mb", "has 50", `# ${"x".repeat(5_000_000)}\n`),
    [
      "yaml-nested",
      "InvalidDefinition",
      "is not readable as YAML",
      write((text) => {
        return `${text}x: ${"[".repeat(50_000)}${"]".repeat(50_000)}\n`;
      }),
    ],
    [
      "yaml-aliases",
      "InvalidDefinition",
      "is not readable as YAML",
      write((text) => {
        return `${text}a: &a x\nb: [${"*a, ".repeat(2_000)}]\n`;
      }),
    ],
    [
      "yaml-merges",
      "InvalidDefinition",
      "is not readable as YAML",
      write((text) => {
        const keys = list(500, (n) => `k${n}: 1`).join(", ");
        return `${text}a: &a { ${keys} }\nb: [${"{ <<: *a }, ".repeat(500)}]\n`;
      }),
    ],
    [
      "many-components",
      "LimitExceeded",
      "zarf.yaml: has 1001 components",
      define((definition) => definition.components = list(1001, (n) => ({ name: `c${n}` }))),
    ],
  ];
}

function documents(): BadSpec[] {
  const unsupported = (name: string, part: string, spec: PackageSpec): BadSpec => [
    name,
    "UnsupportedDefinition",
    `zarf.yaml: ${part}`,
    spec,
  ];
  const kind = (value: unknown) => define((definition) => definition["kind"] = value);
  const version = (value: unknown) => define((definition) => definition["apiVersion"] = value);
  return [
    unsupported("kind-none", "kind", define((definition) => delete definition["kind"])),
    unsupported("kind-component", "kind", kind("ZarfComponentConfig")),
    unsupported("kind-lower-case", "kind", kind("zarfpackageconfig")),
    unsupported("kind-of-kubernetes", "kind", kind("Deployment")),
    unsupported(
      "version-v1beta1-alone",
      "has no zarf.dev/v1alpha1 document, only",
      version(V1BETA1),
    ),
    unsupported("version-v1", "has no zarf.dev/v1alpha1 document", version("zarf.dev/v1")),
    unsupported("version-of-kubernetes", "has no zarf.dev/v1alpha1 document", version("apps/v1")),
    unsupported("version-number", "has no zarf.dev/v1alpha1 document", version(1)),
    [
      "two-v1alpha1-documents",
      "InvalidDefinition",
      "zarf.yaml: has two zarf.dev/v1alpha1 documents",
      write((text) => `${text}---\n${text}`),
    ],
    [
      "two-v1alpha1-documents-one-unnamed",
      "InvalidDefinition",
      "zarf.yaml: has two zarf.dev/v1alpha1 documents",
      write((text) => `${text}---\n${text.replace("apiVersion: zarf.dev/v1alpha1\n", "")}`),
    ],
    [
      "two-v1beta1-documents",
      "InvalidDefinition",
      "zarf.yaml: has two zarf.dev/v1beta1 documents",
      write((text) => text + `---\napiVersion: ${V1BETA1}\nkind: ZarfPackageConfig\n`.repeat(2)),
    ],
  ];
}

function names(): BadSpec[] {
  const plain = (name: string, where: string, definition: (all: Definition) => void): BadSpec => [
    `name-of-${name}`,
    "InvalidDefinition",
    `zarf.yaml: ${where}: `,
    define(definition),
  ];
  const part =
    (key: string, value: Record<string, unknown>) => ({ components: [first] }: Definition) => {
      if (first !== undefined) first[key] = [value];
    };
  return [
    plain("package-climbs", "metadata.name", ({ metadata }) => metadata["name"] = ".."),
    plain("package-slash", "metadata.name", ({ metadata }) => metadata["name"] = "a/b"),
    plain("package-backslash", "metadata.name", ({ metadata }) => metadata["name"] = "a\\b"),
    plain("package-nul", "metadata.name", ({ metadata }) => metadata["name"] = "a\0b"),
    plain("package-empty", "metadata.name", ({ metadata }) => metadata["name"] = ""),
    plain("package-none", "metadata.name", ({ metadata }) => delete metadata["name"]),
    plain("version-slash", "metadata.version", ({ metadata }) => metadata["version"] = "1/2"),
    plain("version-climbs", "metadata.version", ({ metadata }) => metadata["version"] = ".."),
    plain("flavor-slash", "build.flavor", ({ build }) => build["flavor"] = "a/b"),
    plain("differential-slash", "build.differentialPackageVersion", ({ build }) => {
      build["differentialPackageVersion"] = "../1";
    }),
    plain("component-climbs", "components.0.name", ({ components: [first] }) => {
      if (first !== undefined) first["name"] = "..";
    }),
    plain("component-empty", "components.0.name", ({ components: [first] }) => {
      if (first !== undefined) first["name"] = "";
    }),
    plain("chart-slash", "components.0.charts.0.name", part("charts", { name: "../a" })),
    plain("chart-none", "components.0.charts.0.name", part("charts", { version: "1" })),
    plain(
      "chart-version-slash",
      "components.0.charts.0.version",
      part("charts", { name: "a", version: "1/2" }),
    ),
    plain("manifest-slash", "components.0.manifests.0.name", part("manifests", { name: "a/../b" })),
  ];
}

function values(): BadSpec[] {
  const wrong = (name: string, part: string, definition: (all: Definition) => void): BadSpec => [
    name,
    "InvalidDefinition",
    `zarf.yaml: ${part}`,
    define(definition),
  ];
  const component = (value: Record<string, unknown>) => ({ components: [first] }: Definition) => {
    Object.assign(first ?? {}, value);
  };
  return [
    wrong("components-none", "components", (all) => all.components = []),
    wrong("components-text", "components: ", (all) => Object.assign(all, { components: "web" })),
    wrong("components-number", "components.1: ", (all) => {
      Object.assign(all, { components: [...all.components, 7] });
    }),
    wrong("components-twice", 'components: "web" is there twice', (all) => {
      all.components.push({ name: "web" });
    }),
    wrong("metadata-none", "metadata: ", (all) => Object.assign(all, { metadata: null })),
    wrong("images-text", "components.0.images: ", component({ images: "nginx" })),
    wrong("required-text", "components.0.required: ", component({ required: "perhaps" })),
    wrong("files-number", "components.0.files.0", component({ files: [1] })),
    ["image-name", "InvalidDefinition", 'zarf.yaml: "NOT A NAME" is not the name of an image', {
      hooks: { definition: component({ images: ["NOT A NAME"] }) },
    }],
  ];
}

function platforms(): BadSpec[] {
  const provenance = (files: readonly string[], signed: boolean, name: string): PackageHooks => ({
    definition({ build }) {
      build["signed"] = signed;
      build["provenanceFiles"] = files;
    },
    ...add({ name, content: "x" }),
  });
  return [
    ["for-arm64", "ArchitectureMismatch", "the package is for arm64, this node is amd64", {
      architecture: "arm64",
    }],
    ["for-none", "ArchitectureMismatch", "for no architecture, this node is amd64", {
      architecture: "",
    }],
    ["for-skeleton", "ArchitectureMismatch", "the package is for skeleton", {
      architecture: "skeleton",
      images: [],
    }],
    [
      "for-two",
      "ArchitectureMismatch",
      "the package is for arm64",
      define(({ metadata }) => metadata["architecture"] = "arm64"),
    ],
    ["provenance-unsigned", "UnlistedFile", "p.json: is in the package", {
      hooks: provenance(["p.json"], false, "p.json"),
    }],
    ["provenance-below-a-directory", "UnlistedFile", "deep/p.json: is in the package", {
      hooks: provenance(["deep/p.json"], true, "deep/p.json"),
    }],
    ["provenance-component", "UnlistedFile", "components/evil.tar: is in the package", {
      hooks: {
        ...provenance(["components/evil.tar"], true, "x"),
        ...add({ name: "components/evil.tar", content: new Uint8Array(1024) }),
      },
    }],
  ];
}
