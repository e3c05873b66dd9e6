import type { ZarfComponent } from "../package/mod.ts";
import type { InstalledChart } from "../zarf/mod.ts";
import {
  type ComponentFailure,
  failureDetail,
  failureOf,
  failureStep,
  journalledFailure,
} from "./component_failure.ts";
import { DeployError, partsOf } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import type { HeldRecord } from "./held_record.ts";
import type { DeployJournal } from "./journal.ts";
import type { LimitWatch } from "./limits.ts";
import type { LocalWork } from "./local_work.ts";
import { othersOf } from "./others.ts";
import { STEPS } from "./steps.ts";

/** What {@linkcode ComponentFailures} works with. */
export interface ComponentFailuresOptions {
  /** Of the components, in order. */
  readonly names: readonly string[];
  readonly journal: DeployJournal;
  readonly limit: LimitWatch;
  /** What is stopped has not failed: it goes on, or a newer package does. */
  readonly isEnded: () => boolean;
  /** Where actions are run, if any component has some. */
  readonly local: () => LocalWork | undefined;
  /** Hides what is secret: the journal is kept. */
  readonly redact: (text: string) => string;
  readonly onFailed: (component: string, message: string) => void;
}

/**
 * What follows the failure of a component: it is journalled, its actions for that are run, the record
 * says so. After an interruption it goes on from there, with the error that there was.
 */
export class ComponentFailures {
  readonly #options: ComponentFailuresOptions;

  constructor(options: ComponentFailuresOptions) {
    this.#options = options;
  }

  /**
   * Journals a failure and does what follows it.
   *
   * @param charts for the record; without them that is left as it is
   * @returns the error to throw
   */
  async note(
    component: ZarfComponent,
    cause: unknown,
    record: HeldRecord,
    charts?: readonly InstalledChart[],
  ): Promise<unknown> {
    const { journal, limit, isEnded, redact } = this.#options;
    const error = limit.instead(cause);
    if (isEnded()) return error;
    const failure = failureOf(error, charts ?? [], charts !== undefined);
    if (failure !== undefined) {
      await journal.begin(failureStep(component.name), failureDetail(failure, redact));
      deployFailpoint("deploy.failure.begin");
    }
    await journal.failed(STEPS.component(component.name));
    await this.#follow(component, record, charts);
    return failure === undefined ? error : this.#named(component.name, failure.error);
  }

  /** How a component had failed when what follows that was interrupted. */
  interrupted({ name }: ZarfComponent): ComponentFailure | undefined {
    const { journal } = this.#options;
    const step = failureStep(name);
    return journal.isHalfDone(step) ? journalledFailure(journal.detail(step)) : undefined;
  }

  /**
   * Ends what follows a failure that was interrupted there.
   *
   * @returns the error to throw
   */
  async goOn(
    component: ZarfComponent,
    { error, charts, isRecorded }: ComponentFailure,
    record: HeldRecord,
  ): Promise<unknown> {
    const { journal, local } = this.#options;
    const step = STEPS.component(component.name);
    local()?.restore(component);
    // What is done of it since must not be taken back.
    if (journal.isHalfDone(step)) await journal.failed(step);
    await this.#follow(component, record, isRecorded ? charts : undefined);
    return this.#named(component.name, error);
  }

  async #follow(
    component: ZarfComponent,
    record: HeldRecord,
    charts: readonly InstalledChart[] | undefined,
  ): Promise<void> {
    const { journal, local, isEnded } = this.#options;
    await local()?.onFailure(component);
    if (isEnded()) return;
    if (charts !== undefined) await recordFailure(component.name, charts, record);
    deployFailpoint("deploy.failure.recorded");
    await journal.done(failureStep(component.name));
    deployFailpoint("deploy.failure.done");
  }

  #named(component: string, error: DeployError): DeployError {
    const { names, onFailed } = this.#options;
    onFailed(component, error.message);
    const parts = partsOf(error);
    const kept = [
      ...(parts.kept === undefined ? [] : [parts.kept]),
      ...othersOf(names, component),
    ];
    return new DeployError({
      ...{ ...parts, message: `component "${component}": ${error.message}` },
      ...(kept.length === 0 ? {} : { kept: kept.join("; ") }),
    });
  }
}

/** The first error is the one to report. */
async function recordFailure(
  component: string,
  charts: readonly InstalledChart[],
  record: HeldRecord,
): Promise<void> {
  try {
    await record.component(component, "Failed", charts);
  } catch {
    // Without an API server the record stays at "Deploying", and the next attempt writes it.
  }
}
