/** A call to an interface, in the order in which they came: `rename`, `create.write`. */
export type CallName = string;

/** Lets one call to an interface fail; the others are passed on. */
export class Faults {
  /** Every call since {@linkcode Faults.arm} or {@linkcode Faults.disarm}. */
  readonly calls: CallName[] = [];
  #failing = 0;
  #error: () => Error = () => new Error("no call is to fail");
  #failed: CallName | undefined;

  /** The call that has failed, if one has. */
  get failed(): CallName | undefined {
    return this.#failed;
  }

  /** Lets the nth call from now on fail, from 1. */
  arm(nth: number, error: () => Error): void {
    this.disarm();
    this.#failing = nth;
    this.#error = error;
  }

  /** Lets no call fail, and counts from now on. */
  disarm(): void {
    this.#failing = 0;
    this.#failed = undefined;
    this.calls.length = 0;
  }

  /**
   * The same interface of functions, one call of which may fail. What a call returns is such an
   * interface too; of its functions `close` does not fail. A call that is given bytes and fails has
   * taken half of them.
   */
  over<T extends object>(real: T): T {
    return this.#over(real, "");
  }

  #over<T extends object>(real: T, prefix: string): T {
    return new Proxy(real, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (typeof value !== "function" || typeof key !== "string") return value;
        return (...args: unknown[]) => this.#call(value.bind(target), `${prefix}${key}`, args);
      },
    });
  }

  #call(real: (...args: unknown[]) => unknown, name: CallName, args: unknown[]): unknown {
    if (!name.endsWith("close") && this.#fails(name)) {
      if (args.some(isBytes)) real(...args.map(halved));
      throw this.#error();
    }
    const result = real(...args);
    return typeof result === "object" && result !== null ? this.#over(result, `${name}.`) : result;
  }

  #fails(name: CallName): boolean {
    this.calls.push(name);
    if (this.calls.length !== this.#failing) return false;
    this.#failed = name;
    return true;
  }
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function halved(value: unknown): unknown {
  return isBytes(value) ? value.subarray(0, value.length >> 1) : value;
}
