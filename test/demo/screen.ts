import { renderLine, type Stage } from "./render.ts";

/** Where the demo writes to. */
export interface Output {
  write(text: string): void;
  readonly terminal: boolean;
  columns(): number;
  readonly colour: boolean;
}

/** Milliseconds between two drawings on a terminal. */
const FRAME = 100;
/** The longest line where there is no terminal, in characters. */
const LINE_WIDTH = 160;
/** Milliseconds between two lines of the same stage where there is no terminal. */
const LINE_INTERVAL = 2_000;

/** Shows what is said and the stage that runs: redrawn on a terminal, line by line elsewhere. */
export class Screen {
  readonly #output: Output;
  readonly #now: () => number;
  #running: RunningStage | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(output: Output, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  /** A line, or several, above the stage that runs. */
  say(text = ""): void {
    this.#clear();
    this.#output.write(`${text}\n`);
    this.#draw();
  }

  /**
   * Runs one stage to its end and shows it meanwhile.
   *
   * @returns its result and how long it took, in milliseconds.
   */
  async stage<T>(
    name: string,
    work: (tell: Tell) => Promise<T>,
    outcome: (result: T) => string = () => "",
  ): Promise<{ readonly result: T; readonly ms: number }> {
    this.#begin(name);
    try {
      const result = await work((message, fraction) => this.#tell(message, fraction));
      return { result, ms: this.#end("done", outcome(result)) };
    } catch (error) {
      this.#end("failed", this.#running?.message ?? "");
      throw error;
    }
  }

  #begin(name: string): void {
    this.#running = {
      name,
      since: this.#now(),
      message: "",
      fraction: undefined,
      toldAt: 0,
      told: "",
    };
    if (this.#output.terminal) this.#timer = setInterval(() => this.#redraw(), FRAME);
  }

  #tell(message: string, fraction?: number): void {
    const running = this.#running;
    if (running === undefined) return;
    running.message = message;
    running.fraction = fraction;
    if (this.#output.terminal) return;
    const now = this.#now();
    if (message === running.told || (running.told !== "" && now < running.toldAt + LINE_INTERVAL)) {
      return;
    }
    running.told = message;
    running.toldAt = now;
    this.#output.write(`${this.#line("running")}\n`);
  }

  #end(state: Stage["state"], message: string): number {
    clearInterval(this.#timer);
    const running = this.#running;
    if (running === undefined) return 0;
    this.#clear();
    running.message = message;
    this.#output.write(`${this.#line(state)}\n`);
    this.#running = undefined;
    return this.#now() - running.since;
  }

  #line(state: Stage["state"]): string {
    const { name, since, message, fraction } = this.#running ?? NOTHING;
    const columns = this.#output.terminal ? this.#output.columns() : LINE_WIDTH;
    return renderLine(
      {
        name,
        state,
        elapsed: this.#now() - since,
        message,
        ...(fraction === undefined ? {} : { fraction }),
      },
      columns,
      this.#output.colour,
    );
  }

  #redraw(): void {
    this.#clear();
    this.#draw();
  }

  #draw(): void {
    if (this.#output.terminal && this.#running !== undefined) {
      this.#output.write(this.#line("running"));
    }
  }

  #clear(): void {
    if (this.#output.terminal && this.#running !== undefined) this.#output.write("\r\x1b[2K");
  }
}

/** Says what a stage is doing and, where it is known, how much of it is done (0 to 1). */
export type Tell = (message: string, fraction?: number) => void;

interface RunningStage {
  readonly name: string;
  readonly since: number;
  message: string;
  fraction: number | undefined;
  /** The last line that was written for it, and when. */
  told: string;
  toldAt: number;
}

const NOTHING: RunningStage = {
  name: "",
  since: 0,
  message: "",
  fraction: undefined,
  told: "",
  toldAt: 0,
};

/** Standard output. */
export function standardOutput(): Output {
  const terminal = Deno.stdout.isTerminal();
  return {
    terminal,
    colour: terminal && !Deno.noColor,
    columns: () => Deno.consoleSize().columns,
    write: (text) => {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    },
  };
}
