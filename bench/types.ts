/** One way to do the measured work. */
export interface Side {
  /** As it stands in tables and charts: `holdfast`, `registry:3`. */
  readonly name: string;
  /**
   * Does the work once and measures it, in the unit of its benchmark. Making things ready and
   * removing them is not part of the value.
   */
  run(signal: AbortSignal): Promise<number>;
}

/** A bound that design.md §7 sets; missing it is told and is no failure. */
export interface Target {
  /** The name of a side. */
  readonly peer: string;
  /** Ours divided by the peer's: a least value where higher is better, else a greatest one. */
  readonly ratio: number;
}

/** One measurement of a benchmark: the same work by every side. The first side is ours. */
export interface Case {
  readonly name: string;
  readonly sides: readonly [Side, ...Side[]];
  readonly targets: readonly Target[];
  /** Fewer rounds than asked for, where one takes minutes. */
  readonly maxRuns?: number;
}

/** A figure that is known after the runs: peak memory, disk used. */
export interface Figure {
  readonly name: string;
  /** With its unit: `148 MiB`. */
  readonly value: string;
  /** `<= 200 MiB`, where there is one. */
  readonly target?: string;
}

/** What a benchmark made ready; disposing of it removes everything. */
export interface Prepared extends AsyncDisposable {
  readonly cases: readonly Case[];
  /** Asked after the last run. */
  figures(): readonly Figure[] | Promise<readonly Figure[]>;
  /** What was left out here, and what to install so that it is not. */
  readonly missing: readonly string[];
}

/** What a benchmark is given. */
export interface Preparation {
  /** An empty directory on the disk that is measured; removed afterwards. */
  readonly directory: string;
  /** Smaller data and fewer cases, to see that everything works. */
  readonly quick: boolean;
  /** Bytes of the package that is read, if the command line names them. */
  readonly size?: number;
  readonly signal: AbortSignal;
  /** Takes a line on what is being done. */
  readonly say: (line: string) => void;
}

/** What a file `bench/<name>_bench.ts` exports as `benchmark`. */
export interface Benchmark {
  readonly name: string;
  /** One sentence: what is compared, and what the value includes. */
  readonly what: string;
  /** Names of the other sides. */
  readonly peers: readonly string[];
  readonly unit: string;
  readonly higherIsBetter: boolean;
  /** @throws when it cannot run here; the message says what to install. */
  prepare(preparation: Preparation): Promise<Prepared>;
}
