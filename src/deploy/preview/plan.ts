import type { Digest } from "../../std/mod.ts";
import type { ActionStage } from "../action_text.ts";
import type { Json } from "./json.ts";
import type { PlannedObject } from "./objects.ts";

/** What a deployment of a package would do, on the cluster as it is now. */
export interface DeploymentPlan {
  /** Of the rest of it: the same package, settings and cluster give the same. */
  readonly hash: Digest;
  readonly package: {
    readonly name: string;
    readonly version: string;
    readonly architecture: string;
    readonly digest: Digest;
  };
  /** What the cluster remembers of the package; absent when it was never deployed. */
  readonly deployed?: { readonly version: string; readonly generation: number };
  /** Whether the agent brings Zarf's state, the registry and the webhook first. */
  readonly bootstrap: boolean;
  /** Values of variables by name; those that are sensitive are `***`. */
  readonly variables: Readonly<Record<string, string>>;
  /** The package values that the site sets; what is taken for secret is `***`. */
  readonly values: Json;
  /** Why it would not be deployed, or not to its end. */
  readonly refused: readonly Refusal[];
  readonly images: PlannedImages;
  /** All components, in the package's order. */
  readonly components: readonly PlannedComponent[];
  readonly warnings: readonly string[];
}

/** Why something would not be deployed. */
export interface Refusal {
  /** A reason of the deployment's errors. */
  readonly reason: string;
  readonly message: string;
}

/** What the in-cluster registry lacks. */
export interface PlannedImages {
  /** How many the package has. */
  readonly total: number;
  /** Absent where the registry cannot be asked. */
  readonly missing?: readonly MissingImage[];
  /** Of the blobs that would be sent, each counted once. */
  readonly bytes?: number;
}

/** An image that the in-cluster registry has not under all its names, or not whole. */
export interface MissingImage {
  /** `library/nginx:1.27` */
  readonly image: string;
  readonly digest: Digest;
  /** Of its blobs that are missing and that no image before it brings. */
  readonly bytes: number;
}

/** A component: whether it is deployed, and what that does. */
export interface PlannedComponent {
  readonly name: string;
  readonly deployed: boolean;
  /** `required`, `default`, `chosen`, …: why it is deployed or left out. */
  readonly why: string;
  /** What is to be known of it besides. */
  readonly note?: string;
  /** In the order in which they are done. */
  readonly steps: readonly PlannedStep[];
  /** What runs only when a step fails. */
  readonly onFailure: readonly PlannedAction[];
}

/** A step of a deployment; `step` is its name in the journal, which not every step has. */
export type PlannedStep =
  | PlannedAction
  | PlannedFiles
  | PlannedRepository
  | PlannedInjection
  | PlannedReleaseStep
  | PlannedHealthChecks;

/** A command or a wait. */
export interface PlannedAction {
  readonly kind: "action";
  readonly step: string;
  readonly stage: ActionStage;
  /** Its description, or the beginning of what it does. */
  readonly title: string;
  /** The command, or what is waited for. */
  readonly text: string;
  /** The variables and values that it sets. */
  readonly sets: readonly string[];
}

/** Files that are put on the node. */
export interface PlannedFiles {
  readonly kind: "files";
  readonly step: string;
  readonly files: readonly {
    readonly target: string;
    readonly symlinks: readonly string[];
    readonly executable: boolean;
  }[];
}

/** A git repository that is published. */
export interface PlannedRepository {
  readonly kind: "repository";
  readonly step: string;
  readonly name: string;
}

/** Data that is put into running pods, beside the steps that follow. */
export interface PlannedInjection {
  readonly kind: "dataInjection";
  /** Its parts in the journal are below it. */
  readonly step: string;
  readonly target: string;
}

/** Objects that are waited for at the end of a component. */
export interface PlannedHealthChecks {
  readonly kind: "healthChecks";
  /** `apps/v1 Deployment web in shop` */
  readonly objects: readonly string[];
}

/** A chart or a manifest entry, which becomes a Helm release. */
export interface PlannedReleaseStep {
  readonly kind: "release";
  readonly step: string;
  readonly from: "chart" | "manifest";
  /** Of the chart or the manifest entry. */
  readonly title: string;
  readonly release: string;
  readonly namespace: string;
  /** `unknown` where it depends on what actions set, or cannot be rendered. */
  readonly action: "install" | "upgrade" | "unchanged" | "unknown";
  /** Why it is unknown or would fail. */
  readonly reason?: string;
  /** The revision that is deployed now. */
  readonly revision?: number;
  /** Revisions that an interruption has left half done, and that are forgotten first. */
  readonly forgotten?: readonly number[];
  /** Namespaces that are made before. */
  readonly namespaces: readonly string[];
  /** Pull secrets that are made or mended before: `shop/private-registry`. */
  readonly secrets: readonly string[];
  readonly waits: boolean;
  readonly objects: readonly PlannedObject[];
}
