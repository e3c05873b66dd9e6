/**
 * The real CRDs of Flux and Argo CD, out of the Go modules that carry them.
 *
 * @module
 */
import { moduleDirectory } from "../../../extension/build/go_module.ts";

/** Where the versions are pinned, from the repository's root. */
const PIN = "test/cluster/tools/crds";
/** Files of CRDs below the module that has them. */
const CRDS: Readonly<Record<string, readonly string[]>> = {
  "github.com/fluxcd/source-controller": [
    "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    "config/crd/bases/source.toolkit.fluxcd.io_helmrepositories.yaml",
    "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml",
  ],
  "github.com/argoproj/argo-cd/v3": [
    "manifests/crds/application-crd.yaml",
    "manifests/crds/applicationset-crd.yaml",
    "manifests/crds/appproject-crd.yaml",
  ],
};

/** Fetches the modules where they are not in Go's cache (57 MB), and gives the paths of the files. */
export async function sourceCrds(): Promise<string[]> {
  const paths: string[] = [];
  for (const [module, files] of Object.entries(CRDS)) {
    const directory = await moduleDirectory(PIN, module);
    paths.push(...files.map((file) => `${directory}/${file}`));
  }
  return paths;
}
