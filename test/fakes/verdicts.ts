import { digestOf } from "../../src/std/mod.ts";
import type { Verdict } from "../../src/status/mod.ts";

/** The package that is in the file of {@linkcode verdict}. */
export const WEB = {
  name: "web",
  version: "1.0.0",
  architecture: "amd64",
  digest: digestOf("web"),
  signature: "Unsigned",
};

/** The verdict of a package that is ready, unless it is said otherwise. */
export function verdict(change: Partial<Verdict> = {}): Verdict {
  return {
    file: "/drop/zarf-package-web-amd64-1.0.0.tar.zst",
    node: "node-1",
    package: WEB,
    phase: "Ready",
    reason: "Ready",
    message: "everything runs",
    components: [],
    progress: { bytes: 10, totalBytes: 10 },
    ...change,
  };
}
