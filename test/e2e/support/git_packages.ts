import { Clone, git } from "../../fakes/git.ts";
import { gitRepositoryName } from "../../../src/refs/mod.ts";
import { zarfCreate } from "./zarf.ts";

/** A git repository of somebody's, outside of the cluster. */
export class Origin {
  readonly clone: Clone;
  /** Of the bare repository that Zarf clones. */
  readonly url: string;
  readonly #bare: string;

  private constructor(clone: Clone, bare: string) {
    this.clone = clone;
    this.#bare = bare;
    this.url = `file://${bare}`;
  }

  /** Makes one in a directory, with branch `main`, branch `stable` and tag `v1`. */
  static async make(directory: string): Promise<Origin> {
    const clone = await Clone.make(`${directory}/work`);
    await clone.git("branch", "stable");
    await clone.git("tag", "-a", "v1", "-m", "v1");
    const bare = `${directory}/shop.git`;
    await git(directory, "init", "--quiet", "--bare", "--initial-branch=main", bare);
    await clone.git("remote", "add", "origin", bare);
    const origin = new Origin(clone, bare);
    await origin.push();
    return origin;
  }

  /** Its name at the site. */
  get name(): string {
    return gitRepositoryName(this.url);
  }

  async push(): Promise<void> {
    await this.clone.git("push", "--quiet", "origin", "--all");
    await this.clone.git("push", "--quiet", "origin", "--tags");
  }

  /** Adds a commit to `main` and gives its object name. */
  async commit(name: string): Promise<string> {
    const commit = await this.clone.commit(name);
    await this.push();
    return commit;
  }
}

/** Makes a package with the real zarf, whose one component brings repositories. */
export async function packageOf(
  repos: readonly string[],
  version: string,
  directory: string,
  manifests: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const source = `${directory}/source`;
  await Deno.mkdir(source, { recursive: true });
  for (const [name, object] of Object.entries(manifests)) {
    await Deno.writeTextFile(`${source}/${name}.yaml`, JSON.stringify(object));
  }
  const files = Object.keys(manifests).map((name) => `${name}.yaml`);
  const definition = {
    kind: "ZarfPackageConfig",
    metadata: { name: "git-ops", version },
    components: [{
      name: "sources",
      required: true,
      repos,
      ...(files.length === 0 ? {} : { manifests: [{ name: "m", namespace: "shop", files }] }),
    }],
  };
  await Deno.writeTextFile(`${source}/zarf.yaml`, JSON.stringify(definition));
  const flags = ["--architecture=amd64", "--skip-sbom"];
  return await zarfCreate(source, `${directory}/output`, flags);
}
