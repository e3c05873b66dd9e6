import type { KubeClient } from "../kube/mod.ts";
import type { ZarfPackage } from "../package/mod.ts";
import type { Clock, Digest, Exec, Logger } from "../std/mod.ts";
import type { ConnectStrings, Credentials, PushSource, RegistryService } from "../zarf/mod.ts";
import type { ActionRights } from "./action_policy.ts";
import type { PostRendererCommand } from "./helm.ts";
import type { ValuesLayer } from "./go_template.ts";
import type { NamedImage } from "./images.ts";
import type { JournalBook } from "./journal.ts";
import type { DeployLimits } from "./limits.ts";
import type { RepositoryTarget } from "./repositories.ts";

/** How long one release may take until it is ready (Zarf 0.84, src/config: 15 min). */
export const DEFAULT_TIMEOUT = 15 * 60_000;

/** The package to deploy, as the store holds it. */
export interface DeployPackage {
  readonly definition: ZarfPackage;
  /** Of the package. */
  readonly digest: Digest;
  /** Its images, from the store's records. */
  readonly images: readonly NamedImage[];
}

/** How far a deployment is. */
export interface DeployProgress {
  /** Undefined while the package as a whole is worked on. */
  readonly component: string | undefined;
  readonly phase: "Images" | "Deploying" | "Waiting" | "Succeeded" | "Failed";
  readonly message: string;
  /** While images go into the registry. */
  readonly bytes?: number;
  readonly totalBytes?: number;
}

/** What the site decides about a package; whatever is left out nobody decided. */
export interface SiteInputs {
  /** Values of variables, by name in any case. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Which components, as Zarf's `--components`. */
  readonly components?: string;
  /** Laid over the package's own values. */
  readonly values?: readonly ValuesLayer[];
  /** Whether the values are taken without a look at the package's schema. @default false */
  readonly skipValuesSchema?: boolean;
}

/** What the caller does around components, where a package needs more than is written in it. */
export interface ComponentWork {
  /** Before anything of the component is done. What it throws is the component's failure. */
  before(component: string, say: (message: string) => void): Promise<void>;
  /** When everything of it is ready. */
  after(component: string): Promise<void>;
}

/** What a deployment works with. */
export interface DeployContext extends SiteInputs {
  readonly kube: KubeClient;
  /** The data directory; packages are at `packages/<digest>`, temporary files go to `tmp`. */
  readonly dataDir: string;
  /** Path of the kubeconfig for Helm. */
  readonly kubeconfig: string;
  readonly tools: {
    /** Path of Helm 4; `kubectl` and what else actions may call lie beside it. */
    readonly helm: string;
    /** What Helm calls as post-renderer: Holdfast's own executable with `post-render`. */
    readonly postRenderer: PostRendererCommand;
    /** How actions call Holdfast as `zarf`. @default there is no `zarf` for them */
    readonly holdfast?: PostRendererCommand;
  };
  /** The site's registry. Undefined when the images are there already. */
  readonly registry?: {
    /** `http://<clusterIP>:5000`, or a registry elsewhere with its path */
    readonly url: string;
    readonly credentials: Credentials;
    readonly source: PushSource;
    /** Uploads at once. */
    readonly concurrency?: number;
    /** Told of each name that means the package's image now: `library/web:1.0`. */
    readonly onNamed?: (name: string) => void;
  };
  /** Where git repositories go. Undefined where none can be served: packages with some are refused. */
  readonly repositories?: RepositoryTarget;
  /** The Service that the registry is, for pods and controllers; absent where it is none. */
  readonly registryService?: RegistryService;
  /** Whether namespaces get pull secrets; not where images keep their names. @default true */
  readonly pullSecrets?: boolean;
  /** Of the API server (`v1.36.1`). */
  readonly kubeVersion?: string;
  /** Milliseconds for each release. @default DEFAULT_TIMEOUT */
  readonly timeout?: number;
  /** How long an image may be missing and the like, in milliseconds. @default 90 s */
  readonly troubleGrace?: number;
  /** Whether the package's commands may run. @default they may not */
  readonly actions?: ActionRights;
  /** Directories of this node below which its files may go. @default none */
  readonly filesRoots?: readonly string[];
  /** @default nothing */
  readonly around?: ComponentWork;
  /** How long it may take. @default {@linkcode DEFAULT_LIMITS} */
  readonly limits?: DeployLimits;
  /** The deployment is to stop at once; it goes on later. */
  readonly signal?: AbortSignal;
  /**
   * A newer package takes its place: it ends where nothing is cut off by it, between two steps or in a
   * wait, and does not go on.
   */
  readonly newer?: AbortSignal;
  /** Takes what actions print. @default nobody does */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly exec?: Exec;
  readonly onProgress?: (progress: DeployProgress) => void;
  /** Where each step is noted before and after, so that a deployment can go on from there. */
  readonly journal?: JournalBook;
  /**
   * What tells one wish to deploy the package from the next: only an interruption of the same one is
   * gone on from. @default ""
   */
  readonly wish?: string;
}

/** What a deployment came to. */
export interface DeployOutcome {
  /** What Zarf's record counts to when it has ended. */
  readonly generation: number;
  /** Names of the components that were deployed, in order. */
  readonly components: readonly string[];
  readonly connectStrings: ConnectStrings;
}
