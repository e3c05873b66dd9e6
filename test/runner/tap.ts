/** What a test did. */
export interface TestResult {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** Why it failed, one text for the test and each of its steps. */
  readonly messages: readonly string[];
}

/** How many failing steps of one test are told. */
const MAX_STEP_MESSAGES = 10;
/**
 * TAP indents what belongs to a test by two, a subtest by four blanks. Names may hold other ends of
 * lines (U+2028) than the one that TAP knows.
 */
const TEST_LINE = /^(not )?ok \d+ - (.*?)( # SKIP.*)?$/s;
const STEP_LINE = /^ {4,}not ok \d+ - (.*?)$/s;
const DIAGNOSTIC = /^ +(\{"message":.*\})$/;
const END_OF_DIAGNOSTIC = /^ {2}\.\.\.$/;
const PLAN = /^1\.\.(\d+)$/;

/**
 * Reads the lines that `deno test --reporter=tap` writes, as they come. Every test is given out
 * once, when all is known about it; steps count as part of their test.
 */
export class TapReader {
  #steps: string[] = [];
  #step = "";
  #failed: { name: string; messages: string[] } | undefined;
  #planned: number | undefined;
  #seen = 0;

  /** Takes one line without its newline; gives the test that it completes, if it does. */
  line(text: string): TestResult | undefined {
    const plan = PLAN.exec(text)?.[1];
    if (plan !== undefined) this.#planned = Number(plan);
    const step = STEP_LINE.exec(text)?.[1];
    if (step !== undefined) this.#step = unescape(step);
    const message = diagnosticOf(text);
    if (message !== undefined) this.#diagnose(message);
    if (END_OF_DIAGNOSTIC.test(text)) return this.#takeFailed();
    const [line, not, name = "", skip] = TEST_LINE.exec(text) ?? [];
    if (line === undefined) return undefined;
    return this.#test(unescape(name), not !== undefined, skip !== undefined);
  }

  /** Whether everything that the run announced has been seen: it was not cut off. */
  get complete(): boolean {
    return this.#planned === this.#seen && this.#failed === undefined;
  }

  #test(name: string, failed: boolean, skipped: boolean): TestResult | undefined {
    this.#seen++;
    const steps = this.#steps;
    this.#steps = [];
    if (failed) {
      this.#failed = { name, messages: steps };
      return undefined;
    }
    return { name, outcome: skipped ? "skipped" : "passed", messages: [] };
  }

  #diagnose(message: string): void {
    if (this.#failed !== undefined) this.#failed.messages.push(message);
    else if (this.#steps.length < MAX_STEP_MESSAGES) {
      this.#steps.push(`step "${this.#step}": ${message}`);
    }
  }

  #takeFailed(): TestResult | undefined {
    const failed = this.#failed;
    this.#failed = undefined;
    return failed === undefined ? undefined : { ...failed, outcome: "failed" };
  }
}

function diagnosticOf(text: string): string | undefined {
  const json = DIAGNOSTIC.exec(text)?.[1];
  if (json === undefined) return undefined;
  const { message } = JSON.parse(json);
  return typeof message === "string" ? message : json;
}

/** TAP 14 writes `#` and backslash in names behind a backslash. */
function unescape(name: string): string {
  return name.replaceAll(/\\([\\#])/g, "$1");
}
