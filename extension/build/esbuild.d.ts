// The part of esbuild that bundle.ts uses (esbuild 0.28, lib/main.d.ts). Its own declarations need
// those of Node, which Deno then wants as a package beside its own.

/** What one build reads and writes. */
export interface BuildOptions {
  readonly entryPoints: readonly string[];
  readonly outfile: string;
  readonly bundle: boolean;
  readonly format: "esm";
  readonly platform: "node";
  readonly target: string;
  readonly legalComments: "none";
  readonly logLevel: "silent";
  readonly define: Readonly<Record<string, string>>;
  readonly banner: { readonly js: string };
  readonly plugins: readonly Plugin[];
}

/** Changes how imports are resolved. */
export interface Plugin {
  readonly name: string;
  setup(build: PluginBuild): void;
}

/** Where a plugin registers itself. */
export interface PluginBuild {
  onResolve(
    options: { readonly filter: RegExp },
    callback: (args: { readonly path: string }) => { path: string; external: true } | undefined,
  ): void;
}

/** Bundles; rejects with the places of errors in the source. */
export function build(options: BuildOptions): Promise<unknown>;

/** Ends esbuild's helper process. */
export function stop(): Promise<void>;
