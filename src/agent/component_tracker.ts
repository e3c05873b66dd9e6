import type { DeployProgress } from "../deploy/mod.ts";
import { type Clock, type Digest, systemClock } from "../std/mod.ts";
import type { ComponentRecord, Store } from "../store/mod.ts";
import { Throttle } from "./throttle.ts";

/** Milliseconds between two messages of the same phase: each is a durable write. */
const PROGRESS_INTERVAL = 500;

/** Whose progress is tracked, and where. */
export interface TrackerOptions {
  readonly store: Store;
  /** Of the package. */
  readonly digest: Digest;
  /** Told after the record of the package has changed. */
  readonly onChange: () => void;
  readonly clock?: Clock;
}

/** Writes what a deployment reports into the record of its package. */
export class ComponentTracker {
  readonly #options: TrackerOptions;
  readonly #throttle: Throttle;
  #components: ComponentRecord[] = [];
  #phase = "";

  constructor(options: TrackerOptions) {
    this.#options = options;
    this.#throttle = new Throttle(PROGRESS_INTERVAL, options.clock ?? systemClock);
  }

  /** Notes the components that are to be deployed, in their order. */
  begin(names: readonly string[]): void {
    this.#components = names.map((name) => ({ name, phase: "Waiting", message: "not begun" }));
    this.#save("the package is being deployed");
  }

  /** Notes how far it is: each new phase of a component, and now and then a message between. */
  progress({ component, phase, message }: DeployProgress): void {
    const fresh = this.#phase !== `${component} ${phase}`;
    if (!this.#throttle.due() && !fresh) return;
    this.#phase = `${component} ${phase}`;
    this.#components = this.#components.map((one) =>
      one.name === component ? { name: one.name, phase: PHASES[phase], message } : one
    );
    this.#save(component === undefined ? message : `component ${component}: ${message}`);
  }

  /** Says of components that are deployed what is special about them. */
  note(notes: ReadonlyMap<string, string>): void {
    if (notes.size === 0) return;
    this.#components = this.#components.map((one) => ({
      ...one,
      message: notes.get(one.name) ?? one.message,
    }));
    this.#save("everything is deployed");
  }

  #save(message: string): void {
    const { store, digest, onChange } = this.#options;
    store.records.setPackageState(digest, "deploying", {
      reason: "Deploying",
      message,
      components: this.#components,
    });
    onChange();
  }
}

const PHASES: Readonly<Record<DeployProgress["phase"], string>> = {
  Images: "Deploying",
  Deploying: "Deploying",
  Waiting: "Deploying",
  Succeeded: "Ready",
  Failed: "Failed",
};
