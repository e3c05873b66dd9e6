import type { ZarfDataInjection } from "../package/mod.ts";
import { type ExecResult, oneLine } from "../std/mod.ts";
import { compressed, DataTar, markerTar } from "./data_tar.ts";
import type { TargetPod } from "./injection_pods.ts";

/** How much of what a container says a message shows, in characters. */
const MAX_SAID = 300;

/** Runs kubectl with an input, for at most `timeout` milliseconds. */
export type KubectlInput = (
  args: readonly string[],
  timeout: number,
  input?: Uint8Array | AsyncIterable<Uint8Array>,
) => Promise<ExecResult>;

/** What a transfer works with. */
export interface TransferContext {
  readonly kubectl: KubectlInput;
  /** The directory of the data. */
  readonly source: string;
  /** The file that says that the data is complete. */
  readonly marker: string;
  /** Milliseconds for each of its steps. */
  readonly timeout: number;
}

/** Why a pod has not got its data. */
export interface TransferFailure {
  readonly why: string;
  /** Whether trying again cannot help. */
  readonly final?: boolean;
}

/** Brings the data of one injection into containers, by their own `mkdir` and `tar`. */
export class Transfer {
  readonly #data: Pick<ZarfDataInjection, "compress" | "target">;
  readonly #context: TransferContext;

  constructor(data: Pick<ZarfDataInjection, "compress" | "target">, context: TransferContext) {
    this.#data = data;
    this.#context = context;
  }

  /** Sends the data. @returns why it did not get there, if so. */
  async data(pod: TargetPod): Promise<TransferFailure | undefined> {
    const made = await this.#run(pod, ["mkdir", "-p", this.#data.target.path]);
    if (made !== undefined) return made;
    const data = new DataTar(this.#context.source);
    const failure = await this.#untar(pod, data);
    if (failure !== undefined || data.whole) return failure;
    return { why: "the data of the package could not be read to its end" };
  }

  /** Sends the marker. @returns why it may not have got there, if so. */
  marker(pod: TargetPod): Promise<TransferFailure | undefined> {
    return this.#untar(pod, ReadableStream.from([markerTar(this.#context.marker)]));
  }

  #untar(pod: TargetPod, tar: AsyncIterable<Uint8Array>): Promise<TransferFailure | undefined> {
    const { compress, target: { path } } = this.#data;
    const flags = ["-x", ...(compress ? ["-z"] : []), "-f", "-", "-C", path];
    return this.#run(pod, ["tar", ...flags], compress ? compressed(tar) : tar);
  }

  async #run(
    { name, namespace }: TargetPod,
    command: readonly string[],
    input?: AsyncIterable<Uint8Array>,
  ): Promise<TransferFailure | undefined> {
    const { kubectl, timeout } = this.#context;
    const [program = ""] = command;
    const into = ["--namespace", namespace, name, "--container", this.#data.target.container];
    const stdin = input === undefined ? [] : ["--stdin"];
    const result = await kubectl(["exec", ...stdin, ...into, "--", ...command], timeout, input);
    if (result.timedOut) {
      return { why: `${program} did not end within ${Math.round(timeout / 1000)} s` };
    }
    if (result.code === 0) return undefined;
    const said = oneLine(result.stderr.trim().split("\n").slice(-2).join(" ")).slice(-MAX_SAID);
    if (isProgramMissing(result.stderr)) {
      return { why: `there is no ${program} in it (${said})`, final: true };
    }
    return { why: `${program} failed: ${said || `exit code ${result.code}`}` };
  }
}

/** What container runtimes say of a program that an image does not have. */
function isProgramMissing(said: string): boolean {
  return /executable file.*not found|exec: .*no such file or directory/i.test(said);
}
