/** A JSON object. */
type JsonObject = Readonly<Record<string, unknown>>;

/** A condition of an object; what it does not say is empty. */
export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A field of an object that has another type than it must have. */
export class UnreadableField extends Error {}

/**
 * Reads an object's fields as kstatus does (sigs.k8s.io/cli-utils, pkg/kstatus/status/util.go): what
 * decides about every object must have its type, of the rest what has another type counts as absent.
 */
export class Fields {
  readonly #object: unknown;

  constructor(object: unknown) {
    this.#object = object;
  }

  /** A whole number, or what counts where there is none. */
  int(path: string, absent: number): number {
    const value = this.#at(path);
    return typeof value === "number" && Number.isInteger(value) ? value : absent;
  }

  text(path: string, absent = ""): string {
    const value = this.#at(path);
    return typeof value === "string" ? value : absent;
  }

  /** Anything. */
  list(path: string): readonly unknown[] {
    const value = this.#at(path);
    return Array.isArray(value) ? value : [];
  }

  /** @throws {UnreadableField} when it is there and no whole number. */
  requiredInt(path: string): number | undefined {
    const value = this.#strict(path);
    if (value === undefined || Number.isInteger(value)) return value as number | undefined;
    throw new UnreadableField(`${path} is no whole number`);
  }

  /** @throws {UnreadableField} when it is there and no text. */
  requiredText(path: string): string | undefined {
    const value = this.#strict(path);
    if (value === undefined || typeof value === "string") return value;
    throw new UnreadableField(`${path} is no text`);
  }

  /** @throws {UnreadableField} when `status.conditions` is there and no list of conditions. */
  conditions(): readonly Condition[] {
    const value = this.#strict("status.conditions") ?? [];
    if (!Array.isArray(value)) throw new UnreadableField("status.conditions is no list");
    return value.map(conditionOf);
  }

  #at(path: string): unknown {
    return path.split(".").reduce<unknown>(
      (at, key) => isObject(at) ? at[key] : undefined,
      this.#object,
    );
  }

  /** A field on whose way only objects may lie; what is null on the way is absent. */
  #strict(path: string): unknown {
    let at: unknown = this.#object;
    for (const key of path.split(".")) {
      if (at === undefined || at === null) return undefined;
      if (!isObject(at)) throw new UnreadableField(`what holds ${path} is no object`);
      at = at[key];
    }
    return at;
  }
}

function conditionOf(value: unknown): Condition {
  const fields = value ?? {};
  if (!isObject(fields)) throw new UnreadableField("a condition is no object");
  const text = (key: string) => {
    const found = fields[key] ?? "";
    if (typeof found === "string") return found;
    throw new UnreadableField(`${key} of a condition is no text`);
  };
  return {
    type: text("type"),
    status: text("status"),
    reason: text("reason"),
    message: text("message"),
  };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
