import type { DeployPackage, PostRendererCommand } from "../../../src/deploy/mod.ts";
import { parseDefinition } from "../../../src/package/mod.ts";
import { digestHex, digestOf } from "../../../src/std/mod.ts";

/** Helm calls this as post-renderer: this checkout's source on the Deno that runs the test. */
export const POST_RENDERER: PostRendererCommand = {
  command: "/usr/bin/env",
  args: [
    `DENO_DIR=${Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache/deno`}`,
    "DENO_NO_UPDATE_CHECK=1",
    Deno.execPath(),
    "run",
    "--no-check",
    "--quiet",
    "-A",
    decodeURIComponent(new URL("post_render_main.ts", import.meta.url).pathname),
  ],
};

/** A package as the store would have unpacked it: its definition and the files of its components. */
export interface PackageSource {
  /** Without `kind` and `apiVersion`. */
  readonly definition: Record<string, unknown>;
  /** By path below the package's directory: `components/web/manifests/web-0.yaml`. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

/** Puts a package where the store would, and gives what a deployment is told of it. */
export function writePackage(dataDir: string, source: PackageSource): DeployPackage {
  const text = JSON.stringify({
    apiVersion: "zarf.dev/v1alpha1",
    kind: "ZarfPackageConfig",
    ...source.definition,
  });
  const bytes = new TextEncoder().encode(text);
  const digest = digestOf(bytes);
  for (const [path, content] of Object.entries(source.files)) {
    const file = `${dataDir}/packages/${digestHex(digest)}/${path}`;
    Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(file, content);
    else Deno.writeFileSync(file, content);
  }
  return { definition: parseDefinition(bytes), digest, images: [] };
}
