/**
 * Image references and the names that Zarf gives them in its registry.
 *
 * The room promises that a reference means the same here as to Docker, containerd and Zarf, and that
 * {@linkcode transformImage} gives the same text as Zarf 0.84 for the same input, so that images
 * pushed by one are found by the other.
 *
 * @module
 */
export * from "./crc32.ts";
export * from "./reference.ts";
export * from "./transform.ts";
