import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";
import { parseImageReference } from "../refs/mod.ts";
import type { ImageRecord } from "../store/mod.ts";

/** The components that Holdfast is itself, by their names (Zarf 0.84, src/pkg/packager/deploy.go). */
export const PROVIDED = {
  injector: "zarf-injector",
  seedRegistry: "zarf-seed-registry",
  registry: "zarf-registry",
  agent: "zarf-agent",
} as const;

/** The component that brings a Gitea. */
export const GIT_SERVER = "git-server";

const PROVIDED_NAMES: ReadonlySet<string> = new Set(Object.values(PROVIDED));
/** The charts of Zarf's own registry and agent, by their names in its init package. */
const PROVIDED_CHARTS: ReadonlySet<string> = new Set(["docker-registry", "zarf-agent"]);
/** Zarf's injector is put where a file of this target goes. */
const INJECTOR_TARGET = "###ZARF_TEMP###/zarf-injector";

/** Whether Holdfast is what a component would install. */
export function isProvided(name: string): boolean {
  return PROVIDED_NAMES.has(name);
}

/**
 * An init package as it is deployed: without what Holdfast is itself, which are the charts of Zarf's
 * registry and agent and the injector's file. Whatever else somebody has put into these components is
 * deployed as of any other. What is recorded in the cluster (`raw`) stays as it was packed.
 */
export function withoutProvided(definition: ZarfPackage): ZarfPackage {
  return { ...definition, components: definition.components.map(remaining) };
}

function remaining(component: ZarfComponent): ZarfComponent {
  if (!isProvided(component.name)) return component;
  return {
    ...component,
    charts: component.charts.filter(({ name }) => !PROVIDED_CHARTS.has(name)),
    files: component.files.filter(({ target }) => target !== INJECTOR_TARGET),
  };
}

/**
 * The images that the chosen components bring into the registry: as Zarf, without those of the seed
 * registry, and without the agent that nobody starts.
 */
export function imagesOf<Image extends Pick<ImageRecord, "reference" | "repository">>(
  definition: ZarfPackage,
  components: readonly ZarfComponent[],
  images: readonly Image[],
): Image[] {
  const agent = constant(definition, "AGENT_IMAGE");
  const wanted = new Set(
    components.filter(({ name }) => name !== PROVIDED.seedRegistry).flatMap(referencesOf),
  );
  return images.filter(({ reference, repository }) =>
    wanted.has(reference) && (agent === "" || repository !== agent)
  );
}

/**
 * The registry's image: the one that the package's constant `REGISTRY_IMAGE` names, else the first of
 * its components for the registry whose repository is called `registry`. Undefined where there is none,
 * and where it has no tag, by which nodes and clients know it.
 */
export function registryImageOf(
  definition: ZarfPackage,
  images: readonly ImageRecord[],
): ImageRecord | undefined {
  const named = constant(definition, "REGISTRY_IMAGE");
  const tag = constant(definition, "REGISTRY_IMAGE_TAG");
  const references = definition.components
    .filter(({ name }) => name === PROVIDED.registry || name === PROVIDED.seedRegistry)
    .flatMap(referencesOf);
  const candidates = images.filter((image) =>
    references.includes(image.reference) && image.tag !== undefined
  );
  return candidates.find((image) =>
    named !== "" && image.repository.endsWith(named) && (tag === "" || image.tag === tag)
  ) ?? candidates.find(({ repository }) => /(^|\/)registry$/.test(repository));
}

/** The references of a component's images as the store has them. */
function referencesOf({ images, imageArchives }: ZarfComponent): string[] {
  return [...images, ...imageArchives.flatMap((archive) => archive.images)]
    .map((text) => parseImageReference(text).canonical);
}

function constant({ constants }: ZarfPackage, name: string): string {
  return constants.find((one) => one.name === name)?.value ?? "";
}
