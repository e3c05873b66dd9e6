/**
 * Real Talos nodes for tests: machined of the pinned version as the first process of namespaces of
 * this machine, with the extension in its root file system, and the images that it starts from as a
 * package. docs/test-talos.md says what is worked around, and what such a node cannot do.
 *
 * @module
 */
export { TALOS_PACKAGE, talosImagesPackage } from "./images.ts";
export type { ConfiguredNode, MachineConfig } from "./machine_config.ts";
export { PRIVATE, TalosNode } from "./node.ts";
export { type SiteOptions, TalosSite } from "./site.ts";
