import assert from "node:assert/strict";
import { buildPackage, type Definition } from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { refusal } from "../../test/fixtures/refusal.ts";
import { readPackage, type ZarfPackage } from "./mod.ts";

/*
 * What becomes a part of a path (Zarf 0.84, layout/package.go validatePackagePaths): of the package's
 * file, of a component's tar and of the files in it.
 */

interface Place {
  readonly name: string;
  set(definition: Definition, value: string): void;
  get(definition: ZarfPackage): string | undefined;
}

const PLACES: readonly Place[] = [
  {
    name: "metadata.name",
    set: ({ metadata }, value) => void (metadata["name"] = value),
    get: ({ metadata }) => metadata.name,
  },
  {
    name: "metadata.version",
    set: ({ metadata }, value) => void (metadata["version"] = value),
    get: ({ metadata }) => metadata.version,
  },
  {
    name: "build.flavor",
    set: ({ build }, value) => void (build["flavor"] = value),
    get: ({ build }) => build.flavor,
  },
  {
    name: "build.differentialPackageVersion",
    set: ({ build }, value) => void (build["differentialPackageVersion"] = value),
    get: ({ build }) => build.differentialPackageVersion,
  },
  {
    name: "components.0.name",
    set: ({ components }, value) => void Object.assign(components[0] ?? {}, { name: value }),
    get: ({ components }) => components[0]?.name,
  },
  {
    name: "components.0.charts.0.name",
    set: ({ components }, value) =>
      void Object.assign(components[0] ?? {}, { charts: [{ name: value, version: "1" }] }),
    get: ({ components }) => components[0]?.charts[0]?.name,
  },
  {
    name: "components.0.charts.0.version",
    set: ({ components }, value) =>
      void Object.assign(components[0] ?? {}, { charts: [{ name: "c", version: value }] }),
    get: ({ components }) => components[0]?.charts[0]?.version,
  },
  {
    name: "components.0.manifests.0.name",
    set: ({ components }, value) =>
      void Object.assign(components[0] ?? {}, { manifests: [{ name: value }] }),
    get: ({ components }) => components[0]?.manifests[0]?.name,
  },
];

const BAD = ["..", "../x", "a/b", "/a", "a\\b", "a/"];
const GOOD = ["a", "..a", "a..b", "1.0.0+meta", "upstream", "7e12345"];

const options = () =>
  ({ format: "tar.zst", architecture: "amd64", sink: new MemorySink() }) as const;

for (const place of PLACES) {
  Deno.test(`${place.name} may not leave its directory`, async () => {
    for (const value of BAD) {
      const definition = (all: Definition) => place.set(all, value);
      const error = await refusal(buildPackage({ hooks: { definition } }));
      assert.equal(error.reason, "InvalidDefinition");
      assert(error.message.startsWith(`zarf.yaml: ${place.name}: `), `${value}: ${error.message}`);
    }
  });

  Deno.test(`${place.name} may look odd`, async () => {
    for (const value of GOOD) {
      const definition = (all: Definition) => place.set(all, value);
      const component = { name: value, files: { "manifests/m-0.yaml": "kind: ConfigMap" } };
      const components = place.name === "components.0.name" ? { components: [component] } : {};
      const bytes = buildPackage({ images: [], ...components, hooks: { definition } });
      assert.equal(place.get((await readPackage(sourceOf(bytes), options())).definition), value);
    }
  });
}

Deno.test("the flavor of a package and of its components is kept", async () => {
  const bytes = buildPackage({
    hooks: {
      definition({ build, components }) {
        build["flavor"] = "vanilla";
        Object.assign(components[0] ?? {}, { only: { flavor: "vanilla" } });
      },
    },
  });
  const { definition } = await readPackage(sourceOf(bytes), options());
  assert.equal(definition.build.flavor, "vanilla");
  assert.equal(definition.components[0]?.only.flavor, "vanilla");
});
