import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";

/** The component of Zarf's init package that makes a cluster (Zarf 0.84, packages/distros/k3s). */
const DISTRIBUTION = "k3s";

/** What the place where a package is deployed can do. */
export interface Abilities {
  /** Whether git repositories can be brought to their readers. @default false */
  readonly git?: boolean;
}

/**
 * What a package asks for that this version cannot do, one sentence part each, naming the component;
 * empty when it can be deployed. A package is refused as a whole before anything is applied: half an
 * application is worse than none. What only matters when creating or removing a package is no
 * obstacle, nor is what only a deselected component uses.
 */
export function unsupported(
  definition: ZarfPackage,
  components: readonly ZarfComponent[] = definition.components,
  { git = false }: Abilities = {},
): string[] {
  const found: string[] = [];
  if (definition.metadata.yolo) found.push("the package is a YOLO package, which has no images");
  for (const component of components) {
    if (definition.kind === "ZarfInitConfig" && component.name === DISTRIBUTION) {
      found.push(`component "${component.name}" installs a Kubernetes, and this one stays`);
    }
    for (const feature of featuresOf(component, git)) {
      found.push(`component "${component.name}" ${feature}`);
    }
  }
  return found;
}

function featuresOf(component: ZarfComponent, git: boolean): string[] {
  const features: string[] = [];
  const add = (condition: boolean, feature: string) => condition && features.push(feature);
  add(!git && component.repos.length > 0, "brings git repositories, and there is no git here");
  return features;
}
