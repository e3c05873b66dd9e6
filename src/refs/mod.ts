/**
 * Image references, URLs of git repositories, and the names that Zarf gives both at the site.
 *
 * The room promises that a reference means the same here as to Docker, containerd and Zarf, and that
 * {@linkcode transformImage} and {@linkcode transformGitUrl} give the same text as Zarf 0.84 for the
 * same input, so that what one has pushed is found by the other.
 *
 * @module
 */
export * from "./crc32.ts";
export * from "./git.ts";
export * from "./reference.ts";
export * from "./transform.ts";
