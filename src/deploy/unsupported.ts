import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";

/**
 * What a package asks for that this version cannot do, one sentence part each, naming the component;
 * empty when it can be deployed. A package is refused as a whole before anything is applied: half an
 * application is worse than none. What only matters when creating or removing a package is no
 * obstacle, nor is what only a deselected component uses.
 */
export function unsupported(
  definition: ZarfPackage,
  components: readonly ZarfComponent[] = definition.components,
): string[] {
  const found: string[] = [];
  if (definition.kind !== "ZarfPackageConfig") found.push(`the package is a ${definition.kind}`);
  if (definition.metadata.yolo) found.push("the package is a YOLO package, which has no images");
  for (const component of components) {
    for (const feature of featuresOf(component)) {
      found.push(`component "${component.name}" ${feature}`);
    }
  }
  return found;
}

function featuresOf(component: ZarfComponent): string[] {
  const features: string[] = [];
  const add = (condition: boolean, feature: string) => condition && features.push(feature);
  add(component.dataInjections.length > 0, "injects data into pods");
  add(component.repos.length > 0, "brings git repositories");
  return features;
}
