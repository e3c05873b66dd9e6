import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";

/**
 * The components that are deployed when nobody chooses: required and default ones, in the package's
 * order, without those for another operating system (Zarf 0.84, src/pkg/packager/filters).
 */
export function selectComponents(definition: ZarfPackage): ZarfComponent[] {
  return definition.components.filter((component) =>
    (component.required || component.default) &&
    (component.only.localOS === "" || component.only.localOS === "linux")
  );
}
