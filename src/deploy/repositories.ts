import type { ZarfComponent } from "../package/mod.ts";
import { type Digest, HoldfastError } from "../std/mod.ts";
import { DeployError, partsOf } from "./errors.ts";

/** A git repository that a component brings. */
export interface ComponentRepository {
  /** As in `repos`: `https://host/path/repo.git@v1`; it may hold a password. */
  readonly url: string;
  /** The component's `repos` directory, unpacked. */
  readonly directory: string;
  readonly packageName: string;
  /** Of the package. */
  readonly digest: Digest;
  readonly signal?: AbortSignal;
}

/** Brings git repositories to where their readers are sent. */
export interface RepositoryTarget {
  /** The repository's name there, for messages. */
  readonly nameOf: (url: string) => string;
  /** Brings it there; what is there already is not done twice. */
  readonly publish: (repository: ComponentRepository) => Promise<void>;
}

/** What {@linkcode publishRepositories} works with. */
export interface RepositoriesContext extends Omit<ComponentRepository, "url"> {
  readonly target: RepositoryTarget | undefined;
  /** Wraps the work on one repository, by its name. */
  readonly step: (name: string, action: () => Promise<void>) => Promise<void>;
}

/**
 * Brings the component's repositories to their readers, one after the other, as Zarf does before the
 * component's charts (Zarf 0.84, src/pkg/packager/deploy.go).
 *
 * @throws {DeployError} `RepositoryFailed`, naming the repository.
 */
export async function publishRepositories(
  component: ZarfComponent,
  { target, step, ...rest }: RepositoriesContext,
): Promise<void> {
  for (const url of component.repos) {
    // What has no target is refused beforehand.
    if (target === undefined) continue;
    const name = target.nameOf(url);
    try {
      await step(name, () => target.publish({ url, ...rest }));
    } catch (error) {
      throw failed(`git repository ${name}`, error);
    }
  }
}

function failed(what: string, error: unknown): unknown {
  if (!(error instanceof HoldfastError)) return error;
  const message = `${what}: ${error.message}`;
  return new DeployError({ ...partsOf(error), reason: "RepositoryFailed", message });
}
