declare const HOLDFAST_VERSION: string | undefined;

/** The version of this program; the build puts it in. */
export const VERSION: string = typeof HOLDFAST_VERSION === "string"
  ? HOLDFAST_VERSION
  : "0.0.0-dev";
